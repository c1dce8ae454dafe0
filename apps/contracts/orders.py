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
    """The whole amount has been captured; told once, however often the order changes later."""

    topic: ClassVar = "order-paid"

    total: Money
    lines: tuple[Line, ...]
    paid_at: AwareDatetime


class OrderChanged(OrderFact):
    """What was bought, or where it goes, changed; payments charges or returns the difference to `total`.

    The fact with the highest `sequence` says what the order costs. Lines that were cancelled are a change as well.
    """

    topic: ClassVar = "order-changed"

    total: Money
    lines: tuple[Line, ...]
    changed_at: AwareDatetime


class OrderCancelled(OrderFact):
    """The order will not be fulfilled; what was authorised is to be voided, and what was captured returned."""

    topic: ClassVar = "order-cancelled"

    total: Money
    reason: str | None
    cancelled_at: AwareDatetime


class OrderExpired(OrderFact):
    """Nobody paid in time; what is captured later all the same is to be returned."""

    topic: ClassVar = "order-expired"

    total: Money
    expired_at: AwareDatetime


class OrderShipped(OrderFact):
    """A parcel left; `complete` when it was the last. Payments captures what is only authorised."""

    topic: ClassVar = "order-shipped"

    shipment_id: UUID
    lines: tuple[Line, ...]
    carrier: str
    tracking_number: str
    complete: bool
    shipped_at: AwareDatetime


class OrderDelivered(OrderFact):
    """A parcel arrived; `complete` when everything has."""

    topic: ClassVar = "order-delivered"

    shipment_id: UUID
    complete: bool
    delivered_at: AwareDatetime


class OrderReturned(OrderFact):
    """Goods came back; payments returns exactly `refund`, once for each `return_id`."""

    topic: ClassVar = "order-returned"

    return_id: UUID
    lines: tuple[Line, ...]
    refund: Money
    complete: bool
    returned_at: AwareDatetime
