from uuid import UUID

from apps.chassis.sidecar import Sidecar, SidecarError
from apps.contracts.base import Money


class Orders:
    """Questions asked of orders."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar

    async def amount(self, order_id: UUID) -> Money:
        """Return what the order costs now, or raise SidecarError."""
        query = {"order_id": str(order_id)}
        answer = await self._sidecar.invoke("orders", "GET", "/internal/orders/amount", query=query)
        if answer.status != 200:  # noqa: PLR2004
            raise SidecarError(f"orders answered {answer.status} when asked for an amount")
        return Money.model_validate(answer.json()["amount"])
