"""What clients are shown."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from apps.contracts.base import Money
from apps.orders.schemas import Address
from apps.orders.states import FulfilmentStatus, OrderStatus, PaymentStatus


class ProductView(BaseModel):
    """An article of the price list; `stock` null means that it is not counted."""

    sku: str
    name: str
    price: Money
    stock: int | None
    active: bool
    options: dict[str, JsonValue] | None


class LineView(BaseModel):
    """What was ordered, at the price of that moment."""

    sku: str
    name: str
    quantity: int
    unit_price: Money
    configuration: dict[str, JsonValue] | None
    shipped: int = 0
    returned: int = 0


class PieceView(BaseModel):
    """So much of one article."""

    sku: str
    quantity: int


class ShipmentView(BaseModel):
    """A parcel."""

    id: UUID
    carrier: str
    tracking_number: str
    lines: list[PieceView]
    shipped_at: AwareDatetime
    delivered_at: AwareDatetime | None


class ReturnView(BaseModel):
    """What came back, and what is paid back for it."""

    id: UUID
    lines: list[PieceView]
    refund: Money
    reason: str
    returned_at: AwareDatetime


class QuotedLine(BaseModel):
    """What would be ordered, at the price of this moment."""

    sku: str
    name: str
    quantity: int
    unit_price: Money
    configuration: dict[str, JsonValue] | None
    available: bool


class QuoteView(BaseModel):
    """What an order would cost; nothing is kept for it."""

    lines: list[QuotedLine]
    total: Money


class OrderView(BaseModel):
    """An order as clients see it."""

    id: UUID
    number: str
    customer_id: UUID
    status: OrderStatus
    payment_status: PaymentStatus
    fulfilment_status: FulfilmentStatus
    lines: list[LineView]
    shipping_address: Address
    note: str | None
    total: Money
    refunded: Money
    shipments: list[ShipmentView] = []
    returns: list[ReturnView] = []
    allowed_transitions: list[str]
    revision: int
    placed_at: AwareDatetime
    updated_at: AwareDatetime


class TimelineView(BaseModel):
    """One thing that happened; `payment_status` is what it was afterwards."""

    model_config = ConfigDict(serialize_by_alias=True)

    at: AwareDatetime
    from_: Annotated[OrderStatus | None, Field(serialization_alias="from")]
    to: OrderStatus
    payment_status: PaymentStatus
    trigger: str
    actor: str
    cause: str | None
    note: str | None
    sequence: int
    """Counts up within the order; its changes may be followed from there."""


def entry_view(row: Any) -> TimelineView:
    """Return how a row of the timeline is shown."""
    return TimelineView(
        at=row.at,
        from_=OrderStatus(row.from_status) if row.from_status else None,
        to=OrderStatus(row.to_status),
        payment_status=PaymentStatus(row.payment_status),
        trigger=row.trigger,
        actor=row.actor,
        cause=row.cause,
        note=row.note,
        sequence=row.entry,
    )


class ProductPage(BaseModel):
    """A part of the price list."""

    items: list[ProductView]
    next: str | None


class OrderPage(BaseModel):
    """Orders, newest first."""

    items: list[OrderView]
    next: UUID | None


class Timeline(BaseModel):
    """All that happened to an order, from its beginning."""

    items: list[TimelineView]


class AmountView(BaseModel):
    """What an order costs, for those who charge it."""

    order_id: UUID
    customer_id: UUID
    number: str
    amount: Money
    status: OrderStatus
    payment_status: PaymentStatus
