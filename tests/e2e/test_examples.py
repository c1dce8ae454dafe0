"""A client with a sidecar of its own, and somebody who looks on: the examples that need nothing but Python."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from dapr.proto import api_service_v1, api_v1
from dapr.proto.common.v1 import common_pb2

from tests.support.documents import SERVICES
from tests.support.guests import EXAMPLES, joined, shop_with
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

CLIENT: list[str | Path] = [sys.executable, EXAMPLES / "clients" / "python" / "shop.py"]
TIMEOUT_S = 60
INTERNAL = {
    "users": ("POST", "internal/operator-tokens"),
    "orders": ("GET", "internal/orders/amount"),
    "payments": ("GET", "internal/payments/state"),
    "notifications": ("POST", "internal/notifications"),
}


@pytest.fixture(scope="module")
def partner(system: System) -> Iterator[dict[str, str]]:
    with joined(system, "partner") as reached:
        yield reached


def invoke(reached: dict[str, str], app_id: str, path: str, verb: str = "GET", **metadata: str) -> bytes:
    """Call through a sidecar's gRPC API with nothing sent but what is given."""
    message = common_pb2.InvokeRequest(
        method=path, http_extension=common_pb2.HTTPExtension(verb=common_pb2.HTTPExtension.Verb.Value(verb))
    )
    sent = [(name.replace("_", "-"), value) for name, value in metadata.items()]
    with grpc.insecure_channel(f"127.0.0.1:{reached['DAPR_GRPC_PORT']}") as channel:  # type: ignore[no-untyped-call]
        dapr = api_service_v1.DaprStub(channel)  # type: ignore[no-untyped-call]
        request = api_v1.InvokeServiceRequest(id=app_id, message=message)
        return bytes(dapr.InvokeService(request, metadata=sent, timeout=TIMEOUT_S).data.value)


def refusal(reached: dict[str, str], app_id: str, path: str, verb: str = "GET", **metadata: str) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as raised:
        invoke(reached, app_id, path, verb, **metadata)
    # What is raised is also the call, which knows its status.
    return raised.value.code().name, raised.value.details()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("transport", "refused"), [("http", "403"), ("grpc", "INTERNAL")])
async def test_a_client_in_python_reaches_every_service(
    shop: Shop, sku: str, partner: dict[str, str], transport: str, refused: str
) -> None:
    seen = shop_with([*CLIENT, transport], {**os.environ, **partner, "SKU": sku})
    support = shop.operator_token("support")
    order = await shop.call("orders", "GET", f"/orders/{seen.pop('order')}", token=support)
    assert (order.body["status"], [line["sku"] for line in order.body["lines"]]) == ("paid", [sku])
    assert seen == {
        "status": "paid",
        "captured": {"amount": 1999, "currency": "EUR"},
        "letters": ["order-confirmation", "verify-email"],
        "refused": refused,
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_clients_own_sidecar_reaches_what_is_public_and_nothing_else(partner: dict[str, str], service: str) -> None:
    token = partner["DAPR_API_TOKEN"]
    assert b"alive" in invoke(partner, service, "healthz", dapr_api_token=token)
    verb, path = INTERNAL[service]
    for forged in ({}, {"dapr_caller_app_id": "payments"}):
        code, said = refusal(partner, service, path, verb, dapr_api_token=token, **forged)
        # A refusal by the callee's sidecar comes back as a failure of one's own; the text says which it was.
        assert code == "INTERNAL"
        assert "PermissionDenied" in said
        assert "spiffe://public/ns/default/partner" in said


def test_a_clients_own_sidecar_asks_for_its_token(partner: dict[str, str]) -> None:
    assert refusal(partner, "users", "healthz")[0] == "UNAUTHENTICATED"
    assert refusal(partner, "users", "healthz", dapr_api_token="x" * 64)[0] == "UNAUTHENTICATED"


def test_a_clients_own_sidecar_does_nothing_but_call(partner: dict[str, str]) -> None:
    token = [("dapr-api-token", partner["DAPR_API_TOKEN"])]
    with grpc.insecure_channel(f"127.0.0.1:{partner['DAPR_GRPC_PORT']}") as channel:  # type: ignore[no-untyped-call]
        dapr = api_service_v1.DaprStub(channel)  # type: ignore[no-untyped-call]
        for call, request in (
            (dapr.PublishEvent, api_v1.PublishEventRequest(pubsub_name="pubsub", topic="order-paid")),
            (dapr.GetState, api_v1.GetStateRequest(store_name="order-details", key="x")),
            (dapr.GetSecret, api_v1.GetSecretRequest(store_name="secrets", key="users-database-url")),
            (dapr.Shutdown, api_v1.ShutdownRequest()),
        ):
            with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
                call(request, metadata=token, timeout=TIMEOUT_S)


def test_what_joined_is_shown_with_ports_of_this_system_and_leaves_alone(
    system: System, partner: dict[str, str]
) -> None:
    shown = system.status()["partner-daprd"]
    assert (shown["ready"], shown["kind"], shown["restarts"]) == (True, "sidecar", 0)
    assert shown["ports"]["grpc"] == system.port(4505) == int(partner["DAPR_GRPC_PORT"])
    again = system.sidecart("join", str(EXAMPLES / "partner"), check=False)
    assert (again.returncode, "partner is here already" in again.stderr) == (1, True)
    resident = system.sidecart("leave", "orders", check=False)
    assert (resident.returncode, "belongs to the system itself" in resident.stderr) == (1, True)
    assert system.status()["orders"]["ready"]


async def test_an_observer_prints_what_happens(system: System, shop: Shop, customer: Customer, sku: str) -> None:
    with joined(system, "observer"):
        order = (await shop.order(customer, sku)).body["id"]

        async def printed() -> bool | None:
            lines = (system.root / "logs" / "observer.log").read_text().splitlines()
            topics = {line.split()[1] for line in lines if line.endswith(order)}
            return {"order-placed", "payment-captured", "order-paid"} <= topics or None

        await until(printed, f"the observer to print order {order}", deadline_s=60)
        assert system.status()["observer-daprd"]["restarts"] == 0
    assert "observer-daprd" not in system.status()
