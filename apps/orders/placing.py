"""The statements of the hot path: taking stock, and writing an order as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.contracts.base import Money
from apps.contracts.orders import Line
from apps.orders.domain import NEW, PLACED_TRIGGER, OutOfStockError
from apps.orders.schemas import OrderLine
from apps.orders.store import line_at

_LISTED = text("SELECT sku, currency, active FROM products WHERE sku = ANY(CAST(:skus AS text[]))")

# Rows are locked in sorted order, so that buyers of the same articles queue rather than deadlock, and only then taken
# from. What is not counted is read without a lock.
_RESERVE = text("""
WITH wanted AS (SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS w(sku, quantity)),
locked AS MATERIALIZED (
    SELECT sku FROM products WHERE sku = ANY(CAST(:skus AS text[])) AND stock IS NOT NULL ORDER BY sku FOR UPDATE
),
taken AS (
    UPDATE products p SET stock = p.stock - w.quantity
    FROM wanted w JOIN locked l USING (sku)
    WHERE p.sku = w.sku AND p.active AND p.stock >= w.quantity
    RETURNING p.sku, p.name, p.price, p.currency
)
SELECT sku, name, price, currency FROM taken
UNION ALL
SELECT sku, name, price, currency FROM products WHERE sku = ANY(CAST(:skus AS text[])) AND stock IS NULL AND active
""")

_ADD = text(f"""
WITH the_order AS (
    INSERT INTO orders (id, number, customer_id, status, payment_status, fulfilment_status, total, currency,
        revision, document_revision, placed_at, updated_at)
    VALUES (:id, :number, :customer_id, '{NEW.order}', '{NEW.payment}', '{NEW.fulfilment}', :total, :currency,
        1, 1, :at, :at)
),
the_lines AS (
    INSERT INTO order_lines (order_id, position, sku, name, quantity, unit_price)
    SELECT CAST(:id AS uuid), position, sku, name, quantity, unit_price
    FROM unnest(CAST(:skus AS text[]), CAST(:names AS text[]), CAST(:quantities AS integer[]),
        CAST(:prices AS bigint[])) WITH ORDINALITY AS l(sku, name, quantity, unit_price, position)
)
INSERT INTO order_timeline (order_id, entry, at, to_status, payment_status, trigger, actor, cause)
VALUES (:id, 1, :at, '{NEW.order}', '{NEW.payment}', '{PLACED_TRIGGER}', :actor, :cause)
""")  # noqa: S608  # words of our own domain, no input


@dataclass(frozen=True, slots=True)
class Placement:
    """An order about to be written."""

    id: UUID
    number: str
    customer_id: UUID
    lines: Sequence[Line]
    total: Money
    placed_at: datetime


async def listed(connection: AsyncConnection, skus: Sequence[str]) -> dict[str, Row[Any]]:
    """Return currency and active of those of *skus* that there are."""
    return {row.sku: row for row in await connection.execute(_LISTED, {"skus": skus})}


async def reserve(tx: AsyncSession, wanted: Sequence[OrderLine]) -> list[Line]:
    """Take the stock and return the lines at list price; raise OutOfStockError naming what is short."""
    arrays = {"skus": [line.sku for line in wanted], "quantities": [line.quantity for line in wanted]}
    rows = {row.sku: row for row in await tx.execute(_RESERVE, arrays)}
    if short := [line.sku for line in wanted if line.sku not in rows]:
        raise OutOfStockError(short)
    return [line_at(rows[line.sku], line.quantity, rows[line.sku].price) for line in wanted]


async def add(tx: AsyncSession, placement: Placement, actor: str, cause: str | None) -> None:
    """Write the order, its lines and the beginning of its timeline."""
    values = {
        "id": placement.id,
        "number": placement.number,
        "customer_id": placement.customer_id,
        "total": placement.total.amount,
        "currency": placement.total.currency,
        "at": placement.placed_at,
        "skus": [line.sku for line in placement.lines],
        "names": [line.name for line in placement.lines],
        "quantities": [line.quantity for line in placement.lines],
        "prices": [line.unit_price.amount for line in placement.lines],
        "actor": actor,
        "cause": cause,
    }
    await tx.execute(_ADD, values)
