"""A store that is away is an outage to the caller, whatever the SDK makes of it."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from dapr.clients.exceptions import DaprGrpcError
from grpc.aio import AioRpcError, Metadata

from apps.chassis.sidecar import Sidecar, SidecarError

UNAVAILABLE = AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata(), "circuit breaker is open")


class Away:
    """A client of a sidecar whose store is away: each call ends with the SDK's own error."""

    async def _fail(self, *_: Any, **__: Any) -> None:
        raise DaprGrpcError(UNAVAILABLE)

    get_bulk_state = save_bulk_state = delete_state = _fail


CALLS: dict[str, Callable[[Sidecar], Awaitable[Any]]] = {
    "reading": lambda sidecar: sidecar.get_documents("order-details", ["a"]),
    "writing": lambda sidecar: sidecar.put_documents("order-details", {"a": b"{}"}),
    "deleting": lambda sidecar: sidecar.delete_document("order-details", "a"),
}


@pytest.mark.parametrize("doing", CALLS)
async def test_a_store_that_is_away_is_told_as_an_outage(doing: str) -> None:
    client: Any = Away()
    http: Any = None
    with pytest.raises(SidecarError, match=f"{doing} .* order-details failed"):
        await CALLS[doing](Sidecar("orders", "http://127.0.0.1:1", client, http))
