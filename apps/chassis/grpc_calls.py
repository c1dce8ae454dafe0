"""What calls to a sidecar by gRPC have in common."""

from typing import Final

from grpc import StatusCode
from grpc.aio import AioRpcError

_REFUSED: Final = {StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED, StatusCode.UNIMPLEMENTED}
# Both the sidecar and a connection that breaks answer INTERNAL.
_SAID_BY_BINDING: Final = "error invoking output binding"


def complaint(error: AioRpcError) -> str:
    """Return what the sidecar says went wrong; a call that did not reach it is told from one without an answer."""
    said = error.details() or ""
    if error.code() in _REFUSED or _SAID_BY_BINDING in said:
        return said
    return "the sidecar could not be reached" if "failed to connect" in said else "the sidecar gave no answer"


def as_bytes(value: bytes | str) -> bytes:
    """Return what the SDK gives as either."""
    return value.encode() if isinstance(value, str) else value
