"""The statements of the hot path: taking stock, and writing orders as a whole, for all who order at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis.hot import Hot
from apps.contracts.base import Money
from apps.contracts.orders import Line
from apps.orders.states import NEW, PLACED_TRIGGER

_LISTED = Hot("""
SELECT sku, name, price, currency, stock, active, options FROM products WHERE sku = ANY(CAST(:skus AS text[]))
""")
# Rows are locked in sorted order, so that buyers of the same articles queue rather than deadlock. What is not counted
# is read without a lock.
_LOCKED = Hot("""
WITH locked AS MATERIALIZED (
    SELECT sku, name, price, currency, stock, active FROM products
    WHERE sku = ANY(CAST(:skus AS text[])) AND stock IS NOT NULL ORDER BY sku FOR UPDATE
)
SELECT * FROM locked
UNION ALL
SELECT sku, name, price, currency, stock, active FROM products
WHERE sku = ANY(CAST(:skus AS text[])) AND stock IS NULL
""")
_TAKE = Hot("""
UPDATE products p SET stock = p.stock - t.quantity
FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS t(sku, quantity) WHERE p.sku = t.sku
""")
_ADD = Hot(f"""
WITH the_orders AS (
    INSERT INTO orders (id, number, customer_id, status, payment_status, fulfilment_status, total, currency,
        revision, document_revision, placed_at, updated_at)
    SELECT id, number, customer_id, '{NEW.order}', '{NEW.payment}', '{NEW.fulfilment}', total, currency, 1, 1, at, at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS text[]), CAST(:customers AS uuid[]), CAST(:totals AS bigint[]),
        CAST(:currencies AS text[]), CAST(:ats AS timestamptz[])) AS o(id, number, customer_id, total, currency, at)
),
the_lines AS (
    INSERT INTO order_lines (order_id, customer_id, position, sku, name, quantity, unit_price)
    SELECT * FROM unnest(CAST(:line_orders AS uuid[]), CAST(:line_customers AS uuid[]), CAST(:positions AS integer[]),
        CAST(:skus AS text[]), CAST(:names AS text[]), CAST(:quantities AS integer[]), CAST(:prices AS bigint[]))
)
INSERT INTO order_timeline (order_id, customer_id, entry, at, to_status, payment_status, trigger, actor, cause)
SELECT id, customer_id, 1, at, '{NEW.order}', '{NEW.payment}', '{PLACED_TRIGGER}', actor, cause
FROM unnest(CAST(:ids AS uuid[]), CAST(:customers AS uuid[]), CAST(:ats AS timestamptz[]), CAST(:actors AS text[]),
    CAST(:causes AS text[])) AS t(id, customer_id, at, actor, cause)
""")  # noqa: S608  # words of our own domain, no input


@dataclass(frozen=True, slots=True)
class Placement:
    """An order about to be written; *actor* and *cause* begin its timeline."""

    id: UUID
    number: str
    customer_id: UUID
    lines: Sequence[Line]
    total: Money
    placed_at: datetime
    actor: str
    cause: str | None


async def listed(connection: AsyncConnection, skus: Sequence[str]) -> dict[str, Any]:
    """Return those of *skus* that there are."""
    return {row.sku: row for row in await _LISTED.run(connection, skus=skus)}


async def lock(tx: AsyncSession, skus: Sequence[str]) -> dict[str, Any]:
    """Return those of *skus* that there are; whose stock is counted is locked until the transaction ends."""
    return {row.sku: row for row in await _LOCKED.run(tx, skus=sorted(set(skus)))}


def enough(product: Any | None, quantity: int, left: Mapping[str, int | None] | None = None) -> bool:
    """Tell whether *quantity* can be sold of what is *left*, or was there when *product* was read."""
    if product is None or not product.active:
        return False
    stock = left[product.sku] if left is not None else product.stock
    return stock is None or stock >= quantity


async def take(tx: AsyncSession, quantities: Mapping[str, int]) -> None:
    """Subtract from the stock of articles that are locked and have enough; what is negative goes back."""
    if quantities:
        await _TAKE.run(tx, skus=list(quantities), quantities=list(quantities.values()))


async def add(tx: AsyncSession, placements: Sequence[Placement]) -> None:
    """Write orders, their lines and the beginnings of their timelines."""
    lines = [(order, at, line) for order in placements for at, line in enumerate(order.lines, start=1)]
    values = {
        "ids": [order.id for order in placements],
        "numbers": [order.number for order in placements],
        "customers": [order.customer_id for order in placements],
        "totals": [order.total.amount for order in placements],
        "currencies": [order.total.currency for order in placements],
        "ats": [order.placed_at for order in placements],
        "actors": [order.actor for order in placements],
        "causes": [order.cause for order in placements],
        "line_orders": [order.id for order, _, _ in lines],
        "line_customers": [order.customer_id for order, _, _ in lines],
        "positions": [at for _, at, _ in lines],
        "skus": [line.sku for _, _, line in lines],
        "names": [line.name for _, _, line in lines],
        "quantities": [line.quantity for _, _, line in lines],
        "prices": [line.unit_price.amount for _, _, line in lines],
    }
    await _ADD.run(tx, **values)
