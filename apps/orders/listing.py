"""Orders as they are read: with their lines, parcels and returns, a page in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis.hot import Hot
from apps.orders.domain import OrderNotFoundError
from apps.orders.tables import Key

# The inner query finds the page by one index; the rest is looked up by each order's id, which names its month, and by
# its customer, who names its shard: as a value where it is known, since a planner follows no column out of a subquery.
_SHAPE = """
SELECT o.*, l.lines, s.shipments, r.returns FROM (
    SELECT id, number, customer_id, status, payment_status, fulfilment_status, total, currency, refunded, revision,
        document_revision, placed_at, updated_at
    FROM orders {where} ORDER BY id DESC LIMIT :most
) o
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('sku', sku, 'name', name, 'quantity', quantity, 'unit_price', unit_price,
        'shipped', shipped, 'returned', returned) ORDER BY position) AS lines
    FROM order_lines WHERE order_id = o.id AND customer_id = {whose}
) l
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('id', id, 'carrier', carrier, 'tracking_number', tracking_number, 'lines', lines,
        'shipped_at', shipped_at, 'delivered_at', delivered_at) ORDER BY id) AS shipments
    FROM order_shipments WHERE order_id = o.id AND customer_id = {whose}
) s
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('id', id, 'lines', lines, 'refund', refund, 'reason', reason,
        'returned_at', returned_at) ORDER BY id) AS returns
    FROM order_returns WHERE order_id = o.id AND customer_id = {whose}
) r
ORDER BY o.id DESC
"""
_TIMELINE = Hot("""
SELECT entry, at, from_status, to_status, payment_status, trigger, actor, cause, note FROM order_timeline
WHERE order_id = :id AND customer_id = :customer_id ORDER BY entry
""")
_CONDITIONS = {
    "order_id": "id = :order_id",
    "customer_id": "customer_id = :customer_id",
    "status": "status = :status",
    "number": "number = :number",
    "from_id": "id >= :from_id",
    "below_id": "id < :below_id",
}
# A customer has few orders: not to be looked for among everybody's of that status, which the planner thinks cheap.
_AMONG_ONES_OWN = {"status": "status || '' = :status"}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which orders to read; times are bounds on the placing, turned into bounds on the id."""

    order_id: UUID | None = None
    customer_id: UUID | None = None
    status: str | None = None
    number: str | None = None
    from_id: UUID | None = None
    below_id: UUID | None = None

    def values(self) -> dict[str, Any]:
        """Return the conditions that were given."""
        return {name: value for name in _CONDITIONS if (value := getattr(self, name)) is not None}


@lru_cache(maxsize=64)
def statement(names: tuple[str, ...]) -> Hot:
    """Return the statement for just these conditions: one for all of them would be planned for none."""
    conditions = _CONDITIONS | (_AMONG_ONES_OWN if "customer_id" in names else {})
    where = " AND ".join(conditions[name] for name in names)
    whose = ":customer_id" if "customer_id" in names else "o.customer_id"
    return Hot(_SHAPE.format(where=f"WHERE {where}" if where else "", whose=whose))


async def read(source: AsyncSession | AsyncConnection, which: Filter, most: int) -> Sequence[Any]:
    """Return rows of orders, newest first."""
    values = which.values()
    return await statement(tuple(values)).run(source, **values, most=most)


async def read_one(source: AsyncSession | AsyncConnection, order_id: UUID, customer_id: UUID | None = None) -> Any:
    """Return one order, of *customer_id* where given, or raise OrderNotFoundError."""
    rows = await read(source, Filter(order_id=order_id, customer_id=customer_id), 1)
    if not rows:
        raise OrderNotFoundError(order_id)
    return rows[0]


async def timeline_of(source: AsyncSession | AsyncConnection, order: Key) -> list[Any]:
    """Return all that happened to one order, oldest first."""
    return await _TIMELINE.run(source, **order._asdict())
