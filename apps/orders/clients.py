from typing import Final
from uuid import UUID

from pydantic import BaseModel

from apps.chassis.sidecar import Sidecar, SidecarError
from apps.contracts.base import Money

_OK: Final = 200
_UNHEARD_OF: Final = 404


class PaymentState(BaseModel):
    """What payments knows about an order's payment."""

    payment_id: UUID
    sequence: int
    status: str
    amount: Money | None = None
    """What it goes by as the order's price."""
    captured: Money
    refunded: Money | None = None
    decline_code: str | None
    advice: str | None


async def payment_state(sidecar: Sidecar, order_id: UUID) -> PaymentState | None:
    """Return what payments knows; None where it has never heard of the order, SidecarError where it does not say."""
    answer = await sidecar.invoke("payments", "GET", "/internal/payments/state", query={"order_id": str(order_id)})
    if answer.status == _UNHEARD_OF:
        return None
    if answer.status != _OK:
        raise SidecarError(f"payments answered {answer.status} when asked about an order")
    return PaymentState.model_validate(answer.json())
