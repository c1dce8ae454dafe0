"""What clients are shown."""

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from apps.contracts.base import Money
from apps.orders.domain import FulfilmentStatus, OrderStatus, PaymentStatus
from apps.orders.schemas import Address


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
