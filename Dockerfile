# syntax=docker/dockerfile:1
# One target for each service (`docker build --target orders .`), one for the migrations' Job (the same image), and `daprd` for
# the sidecars. Bases are named by version; what is installed is what uv.lock says, for that service's extra and nothing else.
ARG PYTHON=3.13.9-slim-bookworm

FROM golang:1.26.5-bookworm AS runtime
WORKDIR /src
COPY dapr/runtime/go.mod dapr/runtime/go.sum ./
RUN go mod download
COPY dapr/runtime/ ./
RUN CGO_ENABLED=0 go build -mod=readonly -trimpath -tags stablecomponents \
    -ldflags "-s -w -X github.com/dapr/dapr/pkg/buildinfo.version=$(go list -m -f '{{.Version}}' github.com/dapr/dapr | tr -d v)" \
    -o /out/daprd ./cmd/daprd

# The sidecars: upstream's, with the rate limit of docs/adr/0013 and the mail binding of 0015.
FROM gcr.io/distroless/static-debian12:nonroot AS daprd
COPY --from=runtime /out/daprd /daprd
USER 65532
ENTRYPOINT ["/daprd"]

FROM python:${PYTHON} AS build
COPY --from=ghcr.io/astral-sh/uv:0.9.8 /uv /usr/local/bin/uv
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=/opt/sidecart
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./

# The chassis' dependencies first: they change less often than the code.
FROM build AS build-users
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev --no-install-project --extra users
FROM build AS build-orders
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev --no-install-project --extra orders
FROM build AS build-payments
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev --no-install-project --extra payments
FROM build AS build-notifications
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev --no-install-project --extra notifications

FROM python:${PYTHON} AS service
# No pip in the image: nothing is installed where it runs.
RUN pip uninstall --yes pip && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin sidecart
ENV PATH=/opt/sidecart/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 APP_HOST=0.0.0.0
WORKDIR /app
COPY apps/__init__.py apps/__init__.py
COPY apps/contracts apps/contracts
COPY apps/chassis apps/chassis
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"APP_PORT\"]}/healthz', timeout=2)"]

FROM service AS users
COPY --from=build-users /opt/sidecart /opt/sidecart
COPY apps/users apps/users
CMD ["python", "-m", "apps.chassis.serve", "users"]

FROM service AS orders
COPY --from=build-orders /opt/sidecart /opt/sidecart
COPY apps/orders apps/orders
CMD ["python", "-m", "apps.chassis.serve", "orders"]

FROM service AS payments
COPY --from=build-payments /opt/sidecart /opt/sidecart
COPY apps/payments apps/payments
CMD ["python", "-m", "apps.chassis.serve", "payments"]

FROM service AS notifications
COPY --from=build-notifications /opt/sidecart /opt/sidecart
COPY apps/notifications apps/notifications
CMD ["python", "-m", "apps.chassis.serve", "notifications"]
