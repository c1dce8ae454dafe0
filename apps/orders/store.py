from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.contracts.base import Money
from apps.contracts.orders import Line
from apps.orders.domain import OrderNotFoundError, OutOfStockError, ProductNotFoundError, StockNotChangedError
from apps.orders.schemas import MAX_STOCK, PutProduct
from apps.orders.states import OrderStatus, PaymentStatus
from apps.orders.tables import Key, Order, Product

_CHANGE_STOCK = text(
    "UPDATE products SET stock = stock + :delta "
    "WHERE sku = :sku AND CAST(stock AS bigint) + :delta BETWEEN 0 AND :most RETURNING sku"
)
# Locked in sorted order, so that two who put back the same articles do not wait for each other in a circle.
_RESTOCK = text("""
WITH back AS (SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:quantities AS integer[])) AS b(sku, quantity)),
locked AS MATERIALIZED (
    SELECT sku FROM products WHERE sku = ANY(CAST(:skus AS text[])) AND stock IS NOT NULL ORDER BY sku FOR UPDATE
)
UPDATE products p SET stock = p.stock + b.quantity FROM back b JOIN locked l USING (sku) WHERE p.sku = b.sku
""")
# The bounds are what prunes: the planner does not prune by an array it learns at run time. The customers name shards.
_LINES = Hot("""
SELECT l.order_id, l.sku, l.name, l.quantity, l.unit_price, o.currency
FROM order_lines l JOIN orders o ON o.id = l.order_id AND o.customer_id = l.customer_id
    AND o.id BETWEEN :lowest AND :highest AND o.customer_id = ANY(CAST(:customers AS uuid[]))
WHERE l.order_id = ANY(CAST(:ids AS uuid[])) AND l.order_id BETWEEN :lowest AND :highest
    AND l.customer_id = ANY(CAST(:customers AS uuid[]))
ORDER BY l.order_id, l.position
""")
_WAIT = (PaymentStatus.PENDING, PaymentStatus.UNKNOWN)
_ENSURE_PARTITIONS = text("SELECT ensure_partitions(:months)")


async def list_products(tx: AsyncSession, after: str, limit: int, *, active: bool | None) -> Sequence[Product]:
    """Return articles by sku, those after *after*."""
    query = select(Product).where(Product.sku > after).order_by(Product.sku).limit(limit)
    if active is not None:
        query = query.where(Product.active.is_(active))
    return (await tx.scalars(query)).all()


async def get_product(tx: AsyncSession, sku: str) -> Product:
    """Return one article, or raise ProductNotFoundError."""
    product = await tx.get(Product, sku, populate_existing=True)
    if product is None:
        raise ProductNotFoundError(sku)
    return product


async def put_product(tx: AsyncSession, sku: str, command: PutProduct) -> None:
    """Write the article as given, new or not."""
    values = command.model_dump(exclude={"price"}) | {
        "price": command.price.amount,
        "currency": command.price.currency,
    }
    statement = insert(Product).values(sku=sku, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[Product.sku], set_=values))


async def change_stock(tx: AsyncSession, sku: str, delta: int) -> None:
    """Add *delta*; raise where that leaves less than nothing or too much, or nothing is counted."""
    if (await tx.execute(_CHANGE_STOCK, {"sku": sku, "delta": delta, "most": MAX_STOCK})).first():
        return
    stock = (await get_product(tx, sku)).stock
    if stock is None:
        raise StockNotChangedError(f"The stock of {sku} is not counted; set one with PUT first.")
    if stock + delta > MAX_STOCK:
        raise StockNotChangedError(f"The stock of {sku} would exceed {MAX_STOCK}.")
    raise OutOfStockError([sku])


async def get(tx: AsyncSession, order_id: UUID, *, customer_id: UUID | None = None) -> Order:
    """Return one order, of *customer_id* where given, or raise OrderNotFoundError."""
    query = select(Order).where(Order.id == order_id)
    if customer_id:
        query = query.where(Order.customer_id == customer_id)
    order = await tx.scalar(query)
    if order is None:
        raise OrderNotFoundError(order_id)
    return order


async def lines_of(tx: AsyncSession, keys: Sequence[Key]) -> dict[UUID, list[Line]]:
    """Return the lines of many orders in one query."""
    lines: dict[UUID, list[Line]] = {key.id: [] for key in keys}
    if keys:
        for row in await _LINES.run(tx, **bounded(keys)):
            lines[row.order_id].append(line_at(row, row.quantity, row.unit_price))
    return lines


async def list_documents(tx: AsyncSession, after: UUID, until: UUID, limit: int) -> Sequence[tuple[UUID, int]]:
    """Return the orders after *after* by id, and no later than *until*, each with the revision of its document."""
    named = select(Order.id, Order.document_revision).where(Order.id > after, Order.id <= until)
    return [(row.id, row.document_revision) for row in await tx.execute(named.order_by(Order.id).limit(limit))]


async def last_document(tx: AsyncSession) -> tuple[UUID, int] | None:
    """Return the order whose id comes last, with the revision of its document."""
    newest = select(Order.id, Order.document_revision).order_by(Order.id.desc()).limit(1)
    row = (await tx.execute(newest)).one_or_none()
    return (row.id, row.document_revision) if row else None


async def restock(tx: AsyncSession, quantities: Mapping[str, int]) -> None:
    """Give back what was reserved, where stock is counted."""
    await tx.execute(_RESTOCK, {"skus": list(quantities), "quantities": list(quantities.values())})


async def take_waiting(tx: AsyncSession, age: timedelta, batch: int) -> Sequence[Order]:
    """Return orders that have waited for their payment for *age*; no other replica takes them for as long.

    The declined wait as well: paid again, they may have missed the news. Who was asked about comes last. Where fewer
    are than *batch*, those follow that were paid, became dearer, and wait for the difference.
    """
    now = datetime.now(UTC)
    placed = and_(Order.status == OrderStatus.PLACED, Order.payment_status.in_([*_WAIT, PaymentStatus.DECLINED]))
    orders = await _take(tx, placed, Order.id < bound(now - age), now - age, batch)
    if len(orders) < batch:
        owing = and_(Order.payment_status.in_(_WAIT), Order.status.in_([OrderStatus.PAID, OrderStatus.PARTLY_SHIPPED]))
        orders += await _take(tx, owing, Order.updated_at < now - age, now - age, batch - len(orders))
    for order in orders:
        order.asked_at = now
    return orders


async def _take(
    tx: AsyncSession, which: ColumnElement[bool], old: ColumnElement[bool], asked_before: datetime, batch: int
) -> list[Order]:
    query = (
        select(Order)
        .where(which, old, or_(Order.asked_at.is_(None), Order.asked_at < asked_before))
        .order_by(Order.asked_at.asc().nulls_first(), Order.id)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    return list((await tx.scalars(query)).all())


async def ensure_partitions(tx: AsyncSession, months: int) -> int:
    """Make the partitions of this month and the next *months*; return how many were missing."""
    made: int = (await tx.execute(_ENSURE_PARTITIONS, {"months": months})).scalar_one()
    return made


def bounded(keys: Sequence[Key]) -> dict[str, Any]:
    """Return *keys* as the parameters that keep a statement within their partitions and their customers' shards."""
    ids = [key.id for key in keys]
    customers = list({key.customer_id for key in keys})
    return {"ids": ids, "lowest": min(ids), "highest": max(ids), "customers": customers}


def bound(moment: datetime) -> UUID:
    """Return the smallest id that an order placed at *moment* can have; before 1970 none was."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def line_at(row: Any, quantity: int, price: int) -> Line:
    """Return *quantity* of the article in *row*, which has its sku, name and currency."""
    return Line(sku=row.sku, name=row.name, quantity=quantity, unit_price=Money(amount=price, currency=row.currency))
