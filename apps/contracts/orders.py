from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, PositiveInt

from apps.contracts.base import Event, Money


class Line(BaseModel):
    """What was ordered, at the price it was ordered for."""

    model_config = ConfigDict(frozen=True)

    sku: str
    name: str
    quantity: PositiveInt
    unit_price: Money


class OrderFact(Event):
    """Something that happened to an order."""

    aggregate: ClassVar = "order_id"

    order_id: UUID
    customer_id: UUID
    number: str


class OrderPlaced(OrderFact):
    """A customer committed to buy; nothing has been charged yet."""

    topic: ClassVar = "order-placed"

    total: Money
    payment_method: str
    placed_at: AwareDatetime


class OrderPaid(OrderFact):
    """The whole amount has been captured."""

    topic: ClassVar = "order-paid"

    total: Money
    lines: tuple[Line, ...]
    paid_at: AwareDatetime


class OrderCancelled(OrderFact):
    """The order will not be fulfilled; what was captured is to be returned."""

    topic: ClassVar = "order-cancelled"

    total: Money
    reason: str | None
    cancelled_at: AwareDatetime
