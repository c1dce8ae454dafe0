"""Who may come in, tried at the real sidecars: nothing here is a client library's idea of a clean request."""

import base64
import os
import signal
import time
from collections.abc import Iterator

import grpc
import pytest
from dapr.proto import api_service_v1, api_v1
from dapr.proto.common.v1 import common_pb2

from tests.support.documents import SERVICES
from tests.support.outsider import Outsider
from tests.support.system import System
from tests.support.wire import TIMEOUT_S, ask

INVOKE = "/v1.0/invoke"
BACK_WITHIN_S = 60
OPEN = f"{INVOKE}/users/method/.well-known/jwks.json"


def basic(user: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"dapr-app-id:{user}".encode()).decode()


@pytest.fixture(scope="module")
def edge(system: System) -> int:
    return system.port(3500)


@pytest.fixture
def outsider() -> Iterator[Outsider]:
    with Outsider() as listening:
        yield listening


def escapes(address: str) -> list[tuple[str, ...]]:
    """Return every known way to put a URL where an app-id belongs."""
    url = f"http://{address}"
    quoted = url.replace(":", "%3A").replace("/", "%2F")
    return [
        (f"{INVOKE}/{url}/method/x",),
        (f"{INVOKE}/http:%2F%2F{address}/method/x",),
        (f"{INVOKE}/{quoted}/method/x",),
        (f"{INVOKE}/{quoted.replace('%', '%25')}/method/x",),
        (f"{url}/x",),
        (f"{url}{OPEN}", f"dapr-app-id: {url}"),
        (f"{INVOKE}/users/method/x", f"dapr-app-id: users, {url}"),
        ("/x", f"dapr-app-id:\t{url}"),
        ("/x", f"dapr-app-id: users/../{url}"),
        ("/x", f"dapr-app-id: {url.replace('http', 'HTTP')}"),
        ("/x", f"dapr-app-id: {url.replace('http', 'https')}"),
        ("/x", "dapr-app-id: card-processor"),
        ("/x", f"dapr-app-id: {url}"),
        (OPEN, f"dapr-app-id: {url}"),
        (OPEN, f"DAPR-APP-ID: {url}"),
        ("/x", "dapr-app-id: users", f"dapr-app-id: {url}"),
        ("/x", "dapr-app-id:", f"dapr-app-id: {url}"),
        ("/v1.0/healthz", f"dapr-app-id: {url}"),
        ("/x", basic(url)),
        (OPEN, basic("card-processor")),
        (OPEN, basic("users").replace("Basic", "basic")),
        (f"{INVOKE}/users/method/oauth2/token", basic("card-processor")),
        ("/oauth2/token", basic(url)),
    ]


@pytest.mark.parametrize("method", ["GET", "POST", "TRACE", "HEAD", "OPTIONS"])
def test_the_edge_is_no_proxy_to_anywhere(method: str, edge: int, outsider: Outsider) -> None:
    for path, *headers in escapes(outsider.address):
        assert ask(edge, path, *headers, method=method) in {400, 403, 404}, (path, headers)
    assert outsider.seen == []


def runs(system: System) -> int:
    """How often the edge has begun to serve."""
    return (system.root / "logs" / "edge-daprd.log").read_text().count("dapr initialized. Status: Running")


def test_the_edge_is_no_proxy_while_it_reloads(system: System, edge: int, outsider: Outsider) -> None:
    before = runs(system)
    os.kill(system.pids()["edge-daprd"], signal.SIGHUP)
    refused = False
    limit = time.monotonic() + BACK_WITHIN_S
    while not (refused and runs(system) > before):
        assert time.monotonic() < limit, "the edge did not come back"
        try:
            status = ask(edge, "/x", f"dapr-app-id: http://{outsider.address}")
        except OSError:
            refused = False  # not listening for a moment: the reload is under way
            continue
        assert status in {0, 403, 500}
        refused = status == 403
    assert outsider.seen == []


@pytest.mark.parametrize(
    "path",
    [
        f"{INVOKE}/card-processor/method/v1/payment_intents",
        f"{INVOKE}/edge/method/x",
        f"{INVOKE}/USERS/method/healthz",
        f"{INVOKE}/users./method/healthz",
        f"{INVOKE}/users.default/method/healthz",
        f"{INVOKE}/users/method/../../orders/method/orders",
        f"{INVOKE}/users/method/healthz/../internal/users/contact",
        f"{INVOKE}/users/method/healthz/%2e%2e/internal/users/contact",
        f"{INVOKE}/users/method/healthz%2F..%2Finternal%2Fusers%2Fcontact",
        f"{INVOKE}/users/method/healthz%252F..%252Finternal",
        f"{INVOKE}/users/method/healthz%23x",
        f"{INVOKE}/users/method/healthz%3Fx",
        f"{INVOKE}/users/method/heal%25thz",
        f"{INVOKE}/users/method/healthz%00",
        f"{INVOKE}/users/method/healthz.",
        f"{INVOKE}/users/method//healthz",
        f"{INVOKE}/users/method/healthz;x",
        f"/{INVOKE}/users/method/healthz",
        "/v1.0/metadata",
        "/v1.0/state/undelivered/x",
        "/v1.0/secrets/secrets/bulk",
        "/v1.0/configuration/x",
        "/metrics",
    ],
)
def test_the_edge_passes_clean_paths_of_our_apps_only(edge: int, path: str) -> None:
    assert ask(edge, path) in {400, 403, 404}


@pytest.mark.parametrize("path", ["shutdown", "publish/pubsub/order-placed", "publish/bulk/pubsub/x", "bindings/email"])
def test_the_edge_offers_nothing_but_invocation(edge: int, path: str) -> None:
    assert ask(edge, f"/v1.0/{path}", method="POST") in {403, 404}


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "HEAD"])
def test_the_edge_passes_the_apis_verbs_only(edge: int, method: str) -> None:
    assert ask(edge, OPEN, method=method) in {400, 403, 404, 405}


@pytest.mark.parametrize(
    "header", ["dapr-caller-app-id: orders", "dapr-callee-app-id: x", "dapr-caller-namespace: x", "dapr-api-token: x"]
)
def test_no_client_writes_what_sidecars_say_of_each_other(edge: int, header: str) -> None:
    assert ask(edge, OPEN) == 200
    assert ask(edge, OPEN, header) == 403


@pytest.mark.parametrize("service", SERVICES)
def test_both_ways_to_name_a_service_are_open(edge: int, service: str) -> None:
    assert ask(edge, f"{INVOKE}/{service}/method/healthz") == 200
    assert ask(edge, "/healthz", f"dapr-app-id: {service}") == 200


def test_a_query_may_say_anything(edge: int) -> None:
    assert ask(edge, f"{OPEN}?next=http://example.org/%2F..&x=%00") == 200


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [
        ("users", "POST", "/internal/operator-tokens"),
        ("users", "GET", "/internal/users/contact"),
        ("orders", "GET", "/internal/orders/amount"),
        ("orders", "POST", "/events/payment-captured"),
        ("payments", "POST", "/jobs/every-10s"),
        ("orders", "DELETE", "/orders/1"),
    ],
)
def test_what_is_not_public_is_refused_to_the_public(edge: int, service: str, method: str, path: str) -> None:
    assert ask(edge, f"{INVOKE}/{service}/method{path}", method=method) == 403


@pytest.mark.parametrize(
    ("port", "callee", "method", "path"),
    [
        (3501, "orders", "GET", "/internal/orders/amount"),
        (3502, "users", "GET", "/users"),
        (3502, "users", "POST", "/internal/operator-tokens"),
        (3503, "users", "GET", "/internal/users/contact"),
        (3504, "payments", "GET", "/internal/payments/state"),
    ],
)
def test_services_reach_only_what_they_need(system: System, port: int, callee: str, method: str, path: str) -> None:
    caller = {3501: "users", 3502: "orders", 3503: "payments", 3504: "notifications"}[port]
    token = f"dapr-api-token: {system.sidecar_token(caller)}"
    assert ask(system.port(port), f"{INVOKE}/{callee}/method{path}", token, method=method) == 403


@pytest.mark.parametrize("port", [3501, 3502, 3503, 3504])
def test_a_services_sidecar_asks_for_its_token(system: System, port: int) -> None:
    assert ask(system.port(port), "/v1.0/metadata") == 401


@pytest.mark.parametrize("port", [3502, 3503, 3504])
def test_no_service_gets_into_anothers_sidecar_or_app(system: System, port: int) -> None:
    own = [f"dapr-api-token: {token}" for token in (system.sidecar_token("users"), system.app_token("users"))]
    assert [ask(system.port(port), "/v1.0/metadata", token) for token in own] == [401, 401]
    app = system.port(port - 3500 + 8000)
    assert [ask(app, "/dead-letters", token) for token in own] == [401, 401]


def test_a_service_reads_no_other_services_secret_and_publishes_no_other_services_fact(system: System) -> None:
    token = f"dapr-api-token: {system.sidecar_token('users')}"
    users = system.port(3501)
    assert ask(users, "/v1.0/secrets/secrets/users-database-url", token) == 200
    assert ask(users, "/v1.0/secrets/secrets/orders-database-url", token) == 403
    assert ask(users, "/v1.0/secrets/secrets/users-database-owner-url", token) == 403
    assert ask(users, "/v1.0/publish/pubsub/payment-captured", token, method="POST") == 403


def test_the_edge_is_closed_to_grpc(system: System, outsider: Outsider) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{system.port(4500)}") as channel:  # type: ignore[no-untyped-call]
        dapr = api_service_v1.DaprStub(channel)  # type: ignore[no-untyped-call]
        for target in ("users", f"http://{outsider.address}"):
            message = common_pb2.InvokeRequest(
                method="healthz", http_extension=common_pb2.HTTPExtension(verb=common_pb2.HTTPExtension.GET)
            )
            # The answer of a server that knows no such method, which is what a closed API is.
            with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
                dapr.InvokeService(api_v1.InvokeServiceRequest(id=target, message=message), timeout=TIMEOUT_S)
    assert outsider.seen == []
