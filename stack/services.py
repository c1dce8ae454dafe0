"""Apps and their sidecars as processes, from the topology; replicas are the same with ports moved by hundreds."""

import os
import sys
from pathlib import Path

from stack import environment, providers, runtime, sentry, tokens
from stack.home import Home
from stack.program import Check, Program
from stack.topology import App, Topology

REPLICA_STEP = 100
# Longer than an app takes to finish what it has (apps.chassis.serve gives it 10 s).
LINGER_S = 15
# Half of the machine at most: a runtime that may take all of it spends time looking for work on cores that others need.
_CORES = max(1, len(os.sched_getaffinity(0)) // 2)
# Collecting garbage half as often as by default costs some 30 MiB each. The limit leaves room beside what a thousand
# waiting requests hold, 70 KiB each: near it a sidecar only collects, and what waits because of that keeps it there.
_GO = {"GOMAXPROCS": str(_CORES), "GOGC": "200", "GOMEMLIMIT": "160MiB"}
# Whose sidecar speaks to providers of mail, text messages and push.
_TELLS = {"notifications"}
# Flag of daprd -> field of the run file; an absent field leaves daprd's own default.
_FLAGS = {
    "app-protocol": "app_protocol",
    "app-max-concurrency": "app_max_concurrency",
    "log-level": "log_level",
    "max-body-size": "max_body_size",
    "read-buffer-size": "read_buffer_size",
    "enable-api-logging": "enable_api_logging",
    "enable-app-health-check": "enable_app_health_check",
    "app-health-check-path": "app_health_check_path",
    "app-health-probe-interval": "app_health_probe_interval",
    "app-health-probe-timeout": "app_health_probe_timeout",
    "app-health-threshold": "app_health_threshold",
}


class Services:
    """Builds the processes of one system's app-ids; *guests* joined while it ran, and bring resources of their own."""

    def __init__(
        self, home: Home, topology: Topology, daprd: Path, secrets: dict[str, str], *, guests: bool = False
    ) -> None:
        self._home, self._topology, self._daprd, self._secrets = home, topology, daprd, secrets
        self._guests = guests

    def replica(self, app: App, number: int = 1) -> list[Program]:
        """Describe replica *number* of an app-id: its app, if it has one, and its sidecar."""
        sidecar = self._sidecar(app, number)
        return [self._app(app, number), sidecar] if app.command else [sidecar]

    def _port(self, fixed: int, number: int) -> int:
        return self._home.port(fixed) + REPLICA_STEP * (number - 1)

    def _environment(self, app: App, number: int) -> dict[str, str]:
        env = environment.common(self._home) | {
            "APP_ID": app.app_id,
            "DAPR_HTTP_PORT": str(self._port(app.dapr_http_port, number)),
            "DAPR_GRPC_PORT": str(self._port(app.dapr_grpc_port, number)),
        }
        if runtime.is_ours(self._daprd):
            env["SIDECART_RUNTIME"] = "ours"
        if app.app_port is not None or self._guests:
            # The system's own bare sidecar, the public door, asks for no token: its configuration says what it opens.
            env["DAPR_API_TOKEN"] = tokens.for_sidecar(self._secrets, app.app_id)
        if app.app_port is not None:
            env |= {
                "APP_PORT": str(self._port(app.app_port, number)),
                "APP_API_TOKEN": tokens.for_app(self._secrets, app.app_id),
            }
        return env | {name: _text(value) for name, value in app.env.items()}

    def _app(self, app: App, number: int) -> Program:
        name = replica_name(app.app_id, number)
        port = self._port(app.app_port or 0, number)
        command = [sys.executable if app.command[0] in {"python", "python3"} else app.command[0], *app.command[1:]]
        return Program(
            name=name,
            kind="app",
            argv=command,
            env=self._environment(app, number),
            cwd=str((self._topology.file.parent / app.app_dir_path).resolve()),
            ports={"http": port},
            check=Check(via="http", port=port, path="/readyz"),
        )

    def _sidecar(self, app: App, number: int) -> Program:
        ports = {
            "http": self._port(app.dapr_http_port, number),
            "grpc": self._port(app.dapr_grpc_port, number),
            "internal_grpc": self._port(app.dapr_internal_grpc_port, number),
            "metrics": self._port(app.metrics_port, number),
        }
        options: dict[str, object] = {
            "app-id": app.app_id,
            "mode": "standalone",
            "dapr-http-port": ports["http"],
            "dapr-grpc-port": ports["grpc"],
            "dapr-internal-grpc-port": ports["internal_grpc"],
            "metrics-port": ports["metrics"],
            "dapr-listen-addresses": app.api_listen_addresses or "127.0.0.1",
            "dapr-internal-grpc-listen-address": "127.0.0.1",
            "metrics-listen-address": "127.0.0.1",
            "enable-mtls": True,
            "sentry-address": sentry.address(self._home),
            "control-plane-trust-domain": sentry.TRUST_DOMAIN,
            "log-as-json": True,
            "disable-builtin-k8s-secret-store": True,
        }
        if app.config_file_path:
            options["config"] = self._home.config / Path(app.config_file_path).name
        if app.app_port is not None:
            options |= {"app-port": self._port(app.app_port, number), "app-channel-address": "127.0.0.1"}
            # Subscriptions end first, and the app finishes what it has through the sidecar.
            options["dapr-block-shutdown-duration"] = f"{LINGER_S}s"
        stated = {flag: getattr(app, field) for flag, field in _FLAGS.items()}
        options |= {flag: value for flag, value in stated.items() if value is not None}
        return Program(
            name=replica_name(app.app_id, number) + "-daprd",
            kind="sidecar",
            argv=[
                str(self._daprd),
                *(f"--{flag}={_text(value)}" for flag, value in options.items()),
                *(f"--resources-path={folder}" for folder in self._resources(app)),
            ],
            env=_GO | self._environment(app, number) | (providers.way(self._home) if app.app_id in _TELLS else {}),
            env_from_files={"DAPR_TRUST_ANCHORS": str(sentry.trust_anchors(self._home))},
            ports=ports,
            lingers=app.app_port is not None,
            stop_wait_s=LINGER_S + 5,
            check=Check(via="http", port=ports["http"], path="/v1.0/healthz"),
        )

    def _resources(self, app: App) -> list[Path]:
        """Return the folders that a sidecar watches: the system's one, or a guest's own."""
        if not self._guests:
            return [self._home.resources]
        return [(self._topology.file.parent / folder).resolve() for folder in app.resources_paths or []]


def replica_name(app_id: str, number: int) -> str:
    """Return `orders` for the first replica, `orders-2` for the second."""
    return app_id if number == 1 else f"{app_id}-{number}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
