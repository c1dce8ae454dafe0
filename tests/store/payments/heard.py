"""What orders says of an order, as payments hears it."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from apps.contracts.base import Money
from apps.contracts.orders import (
    OrderCancelled,
    OrderChanged,
    OrderExpired,
    OrderPlaced,
    OrderReturned,
    OrderShipped,
)

AMOUNT = 735_192_846
AT = "2026-01-02T03:05:05Z"


def placed(amount: int = AMOUNT) -> OrderPlaced:
    return OrderPlaced(
        order_id=uuid7(),
        customer_id=uuid7(),
        number="A1",
        sequence=1,
        total=Money(amount=amount, currency="EUR"),
        payment_method="pm_card_mastercard",
        placed_at="2026-01-02T03:04:05Z",
    )


def changed(order: OrderPlaced, amount: int, sequence: int = 2) -> OrderChanged:
    total = Money(amount=amount, currency=order.total.currency)
    return OrderChanged(**_about(order), sequence=sequence, total=total, lines=(), changed_at=AT)


def shipped(order: OrderPlaced, sequence: int = 3) -> OrderShipped:
    return OrderShipped(
        **_about(order),
        sequence=sequence,
        shipment_id=uuid7(),
        lines=(),
        carrier="post",
        tracking_number="1",
        complete=True,
        shipped_at=AT,
    )


def goods_returned(order: OrderPlaced, amount: int, sequence: int = 4, return_id: UUID | None = None) -> OrderReturned:
    return OrderReturned(
        **_about(order),
        sequence=sequence,
        return_id=return_id or uuid7(),
        lines=(),
        refund=Money(amount=amount, currency=order.total.currency),
        complete=True,
        returned_at=AT,
    )


def expired(order: OrderPlaced) -> OrderExpired:
    return OrderExpired(**_about(order), sequence=2, total=order.total, expired_at=AT)


def _about(order: OrderPlaced) -> dict[str, Any]:
    return {"order_id": order.order_id, "customer_id": order.customer_id, "number": order.number}


def cancelled(order: OrderPlaced) -> OrderCancelled:
    return OrderCancelled(
        order_id=order.order_id,
        customer_id=order.customer_id,
        number=order.number,
        sequence=2,
        total=order.total,
        reason=None,
        cancelled_at="2026-01-02T03:05:05Z",
    )
