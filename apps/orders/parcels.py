"""The statements of fulfilment: lines with what of them was sent and came back, parcels, returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.contracts.base import Money
from apps.contracts.orders import Line
from apps.orders.tables import Key

_ROWS = Hot("""
SELECT position, sku, name, quantity, unit_price, shipped, returned FROM order_lines
WHERE order_id = :id AND customer_id = :customer_id ORDER BY position
""")
_SEND = Hot("""
UPDATE order_lines l SET shipped = l.shipped + s.quantity
FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS s(sku, quantity)
WHERE l.order_id = :id AND l.customer_id = :customer_id AND l.sku = s.sku
""")
_TAKE_BACK = Hot("""
UPDATE order_lines l SET returned = l.returned + s.quantity
FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS s(sku, quantity)
WHERE l.order_id = :id AND l.customer_id = :customer_id AND l.sku = s.sku
""")
_ADD_SHIPMENT = Hot("""
INSERT INTO order_shipments (order_id, customer_id, id, carrier, tracking_number, lines, shipped_at)
VALUES (:order_id, :customer_id, :id, :carrier, :tracking_number, CAST(:lines AS jsonb), :at)
""")
_SHIPMENTS = Hot("""
SELECT id, delivered_at FROM order_shipments WHERE order_id = :id AND customer_id = :customer_id
""")
_ARRIVED = Hot("""
UPDATE order_shipments SET delivered_at = :at
WHERE order_id = :order_id AND customer_id = :customer_id AND id = :id
""")
_ADD_RETURN = Hot("""
INSERT INTO order_returns (order_id, customer_id, id, lines, refund, reason, returned_at)
VALUES (:order_id, :customer_id, :id, CAST(:lines AS jsonb), :refund, :reason, :at)
""")
# What is there keeps its place: the lines of an order are told in the order they came.
_REWRITE = Hot("""
WITH gone AS (
    DELETE FROM order_lines WHERE order_id = :id AND customer_id = :customer_id AND NOT sku = ANY(CAST(:skus AS text[]))
),
kept AS (
    UPDATE order_lines l SET quantity = k.quantity
    FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS k(sku, quantity)
    WHERE l.order_id = :id AND l.customer_id = :customer_id AND l.sku = k.sku AND l.quantity <> k.quantity
)
INSERT INTO order_lines (order_id, customer_id, position, sku, name, quantity, unit_price)
SELECT :id, :customer_id, * FROM unnest(CAST(:positions AS integer[]), CAST(:new_skus AS text[]),
    CAST(:names AS text[]), CAST(:new_quantities AS integer[]), CAST(:prices AS bigint[]))
""")


@dataclass(frozen=True, slots=True)
class Row:
    """A line with its history; the price in minor units."""

    position: int
    sku: str
    name: str
    quantity: int
    unit_price: int
    shipped: int = 0
    returned: int = 0

    def part(self, quantity: int, currency: str) -> Line:
        """Return so much of it as others are told."""
        price = Money(amount=self.unit_price, currency=currency)
        return Line(sku=self.sku, name=self.name, quantity=quantity, unit_price=price)


@dataclass(frozen=True, slots=True)
class Part:
    """So much of one line."""

    row: Row
    quantity: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """What leaves together."""

    id: UUID
    at: datetime
    parts: Sequence[Part]
    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True)
class Return:
    """What came back together; the refund in minor units."""

    id: UUID
    at: datetime
    parts: Sequence[Part]
    refund: int
    reason: str


async def rows_of(tx: AsyncSession, order: Key) -> dict[str, Row]:
    """Return the lines of one order by sku, in their order."""
    return {row.sku: Row(*row) for row in await _ROWS.run(tx, **order._asdict())}


async def send(tx: AsyncSession, order: Key, parcel: Parcel) -> None:
    """Write a parcel and what is in it."""
    values = {"id": parcel.id, "carrier": parcel.carrier, "tracking_number": parcel.tracking_number, "at": parcel.at}
    await _ADD_SHIPMENT.run(tx, order_id=order.id, customer_id=order.customer_id, lines=_json(parcel.parts), **values)
    await _SEND.run(tx, **order._asdict(), **_quantities(parcel.parts))


async def take_back(tx: AsyncSession, order: Key, back: Return) -> None:
    """Write what came back, why, and what is to be paid back for it."""
    values = {"id": back.id, "refund": back.refund, "reason": back.reason, "at": back.at}
    await _ADD_RETURN.run(tx, order_id=order.id, customer_id=order.customer_id, lines=_json(back.parts), **values)
    await _TAKE_BACK.run(tx, **order._asdict(), **_quantities(back.parts))


async def shipments_of(tx: AsyncSession, order: Key) -> dict[UUID, datetime | None]:
    """Return the parcels of one order, each with when it arrived."""
    return {row.id: row.delivered_at for row in await _SHIPMENTS.run(tx, **order._asdict())}


async def arrived(tx: AsyncSession, order: Key, shipment_id: UUID, at: datetime) -> None:
    """Write that a parcel has arrived."""
    await _ARRIVED.run(tx, order_id=order.id, customer_id=order.customer_id, id=shipment_id, at=at)


async def rewrite(tx: AsyncSession, order: Key, before: Sequence[Row], rows: Sequence[Row]) -> None:
    """Make *rows* the lines of the order."""
    known = {row.sku for row in before}
    new = [row for row in rows if row.sku not in known]
    values: dict[str, Any] = {
        "skus": [row.sku for row in rows],
        "quantities": [row.quantity for row in rows],
        "positions": [row.position for row in new],
        "new_skus": [row.sku for row in new],
        "names": [row.name for row in new],
        "new_quantities": [row.quantity for row in new],
        "prices": [row.unit_price for row in new],
    }
    await _REWRITE.run(tx, **order._asdict(), **values)


def _quantities(parts: Sequence[Part]) -> dict[str, Any]:
    return {"skus": [part.row.sku for part in parts], "quantities": [part.quantity for part in parts]}


def _json(parts: Sequence[Part]) -> str:
    return orjson.dumps([{"sku": part.row.sku, "quantity": part.quantity} for part in parts]).decode()
