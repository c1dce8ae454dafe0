"""What each service may reach through its sidecar is its own; all the rest is tried, from each of the four."""

import asyncio
import json
from collections.abc import Callable, Iterator

import grpc
import pytest
from dapr.proto import api_service_v1, api_v1

from stack.secrets_file import SHAPES
from tests.support.documents import SERVICES, components, configuration, may_hear, may_publish
from tests.support.doors import plain
from tests.support.services import routes
from tests.support.system import System
from tests.support.wire import Reply, send

PORTS = dict(zip(SERVICES, range(3501, 3505), strict=True))
TOPICS = sorted({topic for service in SERVICES for topic in may_publish(service) | may_hear(service)})
COMPONENTS = components()
# What each part of a sidecar's API says of a component that is not there for it.
ABSENT = {
    "state": ("ERR_STATE_STORE_NOT_FOUND", "ERR_STATE_STORE_NOT_CONFIGURED"),
    "bindings": ("ERR_INVOKE_OUTPUT_BINDING",),
    "secrets": ("ERR_SECRET_STORE_NOT_FOUND",),
    "publish": ("ERR_PUBSUB_NOT_FOUND",),
}
# Metrics are scraped by who has no token; no sidecar lets a call through to them, and they name nobody.
OPEN = {"/healthz", "/readyz", "/internal/metrics"}


class Sidecar:
    """One service's sidecar, asked with that service's token."""

    def __init__(self, system: System, service: str) -> None:
        self._port = system.port(PORTS[service])
        self._token = f"dapr-api-token: {system.sidecar_token(service)}"

    def ask(self, path: str, method: str = "GET", body: str = "") -> Reply:
        return send(self._port, f"/v1.0/{path}", self._token, method=method, body=body)


@pytest.fixture
def sidecar(system: System, service: str) -> Sidecar:
    return Sidecar(system, service)


def has_part(name: str, part: str) -> bool:
    """Tell whether the component *name* answers to this part of the API."""
    kinds = {"state": "state.", "bindings": "bindings.", "secrets": "secretstores.", "publish": "pubsub."}
    return str(COMPONENTS[name].spec.get("type", "")).startswith(kinds[part])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_its_own_components_and_no_other(service: str, sidecar: Sidecar) -> None:
    ways: dict[str, Callable[[str], Reply]] = {
        "state": lambda name: sidecar.ask(f"state/{name}/nothing"),
        "bindings": lambda name: sidecar.ask(f"bindings/{name}", "POST", '{"operation": "create"}'),
        "secrets": lambda name: sidecar.ask(f"secrets/{name}/nothing"),
        "publish": lambda name: sidecar.ask(f"publish/{name}/nothing", "POST"),
    }
    for part, way in ways.items():
        for name, component in COMPONENTS.items():
            if has_part(name, part) and service in component.scopes:
                continue
            reply = way(name)
            assert reply.status >= 400, (part, name, reply)
            assert any(code in reply.body for code in ABSENT[part]), (part, name, reply)


@pytest.mark.parametrize(("service", "store"), [("orders", "order-details"), ("notifications", "undelivered")])
def test_a_service_has_its_store(store: str, sidecar: Sidecar) -> None:
    assert sidecar.ask(f"state/{store}/nothing").status == 204, "or the test above proves nothing"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_its_own_secrets_and_no_other(service: str, sidecar: Sidecar) -> None:
    (scope,) = configuration(service).spec["secrets"]["scopes"]
    own = set(scope["allowedSecrets"])
    assert {key for key in SHAPES if sidecar.ask(f"secrets/secrets/{key}").status == 200} == own
    assert {key for key in SHAPES if sidecar.ask(f"secrets/secrets/{key}").status == 403} == set(SHAPES) - own
    assert set(json.loads(sidecar.ask("secrets/secrets/bulk").body)) == own


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_publishes_its_own_facts_and_no_other(service: str, sidecar: Sidecar) -> None:
    for topic in [*TOPICS, "never-heard-of"]:
        if topic not in may_publish(service):
            for path in (f"publish/pubsub/{topic}", f"publish/bulk/pubsub/{topic}"):
                reply = sidecar.ask(path, "POST")
                assert reply.status in {400, 403}, (topic, reply)
                assert "not allowed" in reply.body or "ERR_PUBSUB_EVENTS_SER" in reply.body, (topic, reply)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_listens_to_its_own_topics_and_no_other(service: str, system: System) -> None:
    others = [topic for topic in [*TOPICS, "never-heard-of"] if topic not in may_hear(service)]
    with grpc.insecure_channel(f"127.0.0.1:{system.port(PORTS[service] + 1000)}") as channel:  # type: ignore[no-untyped-call]
        dapr = api_service_v1.DaprStub(channel)  # type: ignore[no-untyped-call]
        for topic in others:
            with pytest.raises(grpc.RpcError, match="is not allowed"):
                listen(dapr, topic, system.sidecar_token(service))


def listen(dapr: api_service_v1.DaprStub, topic: str, token: str) -> None:
    """Subscribe as an app may without any file, and return once that is granted."""
    wish = api_v1.SubscribeTopicEventsRequestInitialAlpha1(pubsub_name="pubsub", topic=topic)

    def requests() -> Iterator[api_v1.SubscribeTopicEventsRequestAlpha1]:
        yield api_v1.SubscribeTopicEventsRequestAlpha1(initial_request=wish)

    answers = dapr.SubscribeTopicEventsAlpha1(requests(), timeout=60, metadata=[("dapr-api-token", token)])
    next(iter(answers))


async def test_the_card_processor_answers_payments_alone(system: System) -> None:
    path = "invoke/card-processor/method/v1/payment_intents"
    replies = await asyncio.gather(*(asyncio.to_thread(Sidecar(system, one).ask, path) for one in SERVICES))
    by_service = dict(zip(SERVICES, replies, strict=True))
    # the processor's own answer to one who shows no key
    assert by_service.pop("payments").status == 401
    for service, reply in by_service.items():
        assert reply.status == 500, (service, reply)
        assert "ERR_DIRECT_INVOKE" in reply.body


@pytest.mark.parametrize("service", SERVICES)
def test_an_app_answers_its_own_sidecar_alone(service: str, system: System) -> None:
    other = next(one for one in SERVICES if one != service)
    wrong = ["", system.app_token(other), system.sidecar_token(service), system.app_token(service) + "x"]
    port = system.port(PORTS[service] + 4500)
    for route in routes(service):
        for verb in route.methods:
            for token in wrong:
                status = send(port, plain(route.path), f"dapr-api-token: {token}", method=verb).status
                assert status == (200 if route.path in OPEN else 401), (verb, route.path)


@pytest.mark.parametrize("service", SERVICES)
def test_a_sidecar_answers_its_own_app_alone(service: str, system: System) -> None:
    other = next(one for one in SERVICES if one != service)
    wrong = ["", system.sidecar_token(other), system.app_token(service)]
    ways = [
        ("GET", "metadata"), ("PUT", "metadata/x"), ("POST", "shutdown"), ("GET", "secrets/secrets/bulk"),
        ("POST", "publish/pubsub/order-placed"), ("POST", "bindings/email"), ("GET", "state/order-details/x"),
        ("GET", "invoke/users/method/users"), ("GET", "invoke/card-processor/method/v1/payment_intents"),
    ]  # fmt: skip
    for verb, path in ways:
        for token in wrong:
            port = system.port(PORTS[service])
            assert send(port, f"/v1.0/{path}", f"dapr-api-token: {token}", method=verb).status == 401, (verb, path)
    with grpc.insecure_channel(f"127.0.0.1:{system.port(PORTS[service] + 1000)}") as channel:  # type: ignore[no-untyped-call]
        dapr = api_service_v1.DaprStub(channel)  # type: ignore[no-untyped-call]
        for token in wrong:
            with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
                dapr.GetMetadata(api_v1.GetMetadataRequest(), timeout=60, metadata=[("dapr-api-token", token)])
