"""The edge's gRPC API, which no guard sees: nobody outside reaches it, and inside it opens nothing more."""

import socket

import grpc
import psutil
import pytest

from tests.support.system import System

TIMEOUT_S = 60
CALL_LOCAL = "/dapr.proto.internals.v1.ServiceInvocation/CallLocal"
CALLER = "dapr-caller-app-id"


def field(number: int, content: bytes) -> bytes:
    """Return one length-delimited field of a protobuf message of less than 128 bytes."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def internal_request(path: str, caller: str) -> bytes:
    """Return an InternalInvokeRequest of a GET by hand: the sidecars' own protocol is in no SDK."""
    header = field(1, CALLER.encode()) + field(2, field(1, caller.encode()))
    message = field(1, path.encode()) + field(4, b"\x08\x01")
    return b"\x08\x01" + field(2, header) + field(3, message)


def proxied(system: System, app_id: str, path: str, caller: str) -> bytes:
    """Have the edge's sidecar pass on a call that its list of allowed APIs does not cover."""
    with grpc.insecure_channel(f"127.0.0.1:{system.port(4500)}") as channel:  # type: ignore[no-untyped-call]
        call = channel.unary_unary(CALL_LOCAL, request_serializer=bytes, response_deserializer=bytes)
        metadata = (("dapr-app-id", app_id),)
        return bytes(call(internal_request(path, caller), metadata=metadata, timeout=TIMEOUT_S))


def test_no_sidecar_listens_beyond_this_machine(system: System) -> None:
    heard = {
        (name, connection.laddr.ip)
        for name, pid in system.pids().items()
        if name.endswith("-daprd")
        for connection in psutil.Process(pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {name for name, _ in heard} >= {"edge-daprd", "orders-daprd"}
    assert {address for _, address in heard} == {"127.0.0.1"}


def test_the_edges_grpc_port_is_closed_to_every_other_address(system: System) -> None:
    others = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    }
    with socket.create_connection(("127.0.0.1", system.port(4500)), timeout=TIMEOUT_S):
        pass
    # All of 127/8 is this machine, so one such address is always there to try.
    for address in {"127.0.0.2", *others} - {"127.0.0.1"}:
        with pytest.raises(ConnectionRefusedError), socket.create_connection((address, system.port(4500)), TIMEOUT_S):
            pass


@pytest.mark.parametrize(
    ("app_id", "path", "caller"),
    [
        ("orders", "internal/orders/amount", "payments"),
        ("users", "internal/users/contact", "notifications"),
        ("users", "healthz/../internal/users/contact", "notifications"),
        ("payments", "internal/payments/state", "orders"),
    ],
)
def test_passing_by_the_guard_opens_nothing_that_is_not_public(
    system: System, app_id: str, path: str, caller: str
) -> None:
    # The way is open on this machine, as the first call shows; the callee's access control is what stands behind it.
    assert b"alive" in proxied(system, app_id, "healthz", caller)
    with pytest.raises(grpc.RpcError, match=r"PERMISSION_DENIED[\s\S]*spiffe://public/ns/default/edge"):
        proxied(system, app_id, path, caller)
