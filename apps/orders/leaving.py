"""Orders that end before anything was sent: called off, or not paid in time. Their articles go back on sale."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox, telemetry
from apps.chassis.app import Chassis
from apps.contracts.orders import OrderCancelled, OrderExpired
from apps.orders import settling, store
from apps.orders.domain import advance
from apps.orders.settling import Entry, Moving
from apps.orders.states import Trigger
from apps.orders.tables import Key

_CLOCK = "service:orders"


async def call_off(tx: AsyncSession, key: Key, trigger: Trigger, actor: str, reason: str | None) -> None:
    """Cancel one order; what was or will be paid for it, payments returns when it hears of it."""
    order, now = await settling.lock_one(tx, key), datetime.now(UTC)
    entry = order.move(advance(order.standing, trigger), trigger, telemetry.trace_id(), reason)
    await _leave(tx, [order], [entry], actor, now)
    outbox.record(tx, _cancelled(order, reason, now))


async def expire_unpaid(chassis: Chassis) -> int:
    """End the orders that nobody paid in time, a batch of them; return how many. Any replica may do it at any time."""
    settings, now = chassis.settings, datetime.now(UTC)
    async with chassis.database.transaction() as tx:
        orders = await settling.take_unpaid(tx, store.bound(now - settings.expire_after), settings.expire_batch)
        entries = [_expire(order) for order in orders]
        await _leave(tx, orders, entries, _CLOCK, now)
        for order in orders:
            outbox.record(tx, _expired(order, now))
    return len(orders)


def _expire(order: Moving) -> Entry:
    after = advance(order.standing, Trigger.DEADLINE_PASSED)
    return order.move(after, Trigger.DEADLINE_PASSED, "every-10s", "not paid in time")


async def _leave(
    tx: AsyncSession, orders: Sequence[Moving], entries: Sequence[Entry], actor: str, now: datetime
) -> None:
    """Write the end of *orders*, and put back all their articles at once, in the order of their names."""
    await settling.write(tx, orders, entries, actor, now)
    back: Counter[str] = Counter()
    for lines in (await store.lines_of(tx, [order.key for order in orders])).values():
        back.update({line.sku: line.quantity for line in lines})
    if back:
        await store.restock(tx, back)


def _cancelled(order: Moving, reason: str | None, at: datetime) -> OrderCancelled:
    return OrderCancelled(
        sequence=order.revision,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        total=order.total,
        reason=reason,
        cancelled_at=at,
    )


def _expired(order: Moving, at: datetime) -> OrderExpired:
    return OrderExpired(
        sequence=order.revision,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        total=order.total,
        expired_at=at,
    )
