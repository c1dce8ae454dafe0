from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from apps.contracts.base import Money
from apps.orders.states import FulfilmentStatus, OrderStatus, PaymentStatus, Standing


class Base(DeclarativeBase):
    """The tables of orders."""

    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012  # SQLAlchemy's own convention


class Key(NamedTuple):
    """Names an order: its id tells the month, its customer the shard."""

    id: UUID
    customer_id: UUID


class Product(Base):
    """An article; `price` in minor units, `stock` null where it is not counted."""

    __tablename__ = "products"

    sku: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    stock: Mapped[int | None]
    active: Mapped[bool]
    options: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class Order(Base):
    """An order; `revision` counts every change, `document_revision` names its document. Partitioned by `id`.

    The id alone is unique; the mapper names the customer as well wherever it writes, for the sake of shards.
    """

    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    payment_status: Mapped[str]
    fulfilment_status: Mapped[str]
    total: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    refunded: Mapped[int] = mapped_column(BigInteger)
    captured: Mapped[int | None] = mapped_column(BigInteger)
    overpaid: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int]
    document_revision: Mapped[int]
    placed_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]

    @property
    def key(self) -> Key:
        """What names it."""
        return Key(self.id, self.customer_id)

    @property
    def standing(self) -> Standing:
        """Where it is."""
        return Standing(
            OrderStatus(self.status), PaymentStatus(self.payment_status), FulfilmentStatus(self.fulfilment_status)
        )

    @property
    def price(self) -> Money:
        """What it costs."""
        return Money(amount=self.total, currency=self.currency)
