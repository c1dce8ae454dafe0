"""The statements by which orders move on: locked together, changed together, told together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.contracts.base import Money
from apps.orders.domain import OrderNotFoundError
from apps.orders.money import Purse
from apps.orders.states import FulfilmentStatus, OrderStatus, PaymentStatus, Standing
from apps.orders.store import bounded
from apps.orders.tables import Key

# What was captured is null where the release before wrote it.
_COLUMNS = """
id, number, customer_id, status, payment_status, fulfilment_status, total, currency, refunded, revision, overpaid,
authorised, returned, payment_sequence, paid_at, document_revision, coalesce(captured,
    CASE WHEN payment_status IN ('captured', 'partly_refunded', 'refunded') THEN total ELSE 0 END) AS captured
"""
_LOCK = Hot(f"""
SELECT {_COLUMNS} FROM orders
WHERE id = ANY(CAST(:ids AS uuid[])) AND id BETWEEN :lowest AND :highest
    AND customer_id = ANY(CAST(:customers AS uuid[]))
ORDER BY id FOR UPDATE
""")  # noqa: S608  # our own words
# Whoever is being settled is left to the next tick; what is authorised is secured, and is not called unpaid.
_TAKE_UNPAID = Hot(f"""
SELECT {_COLUMNS} FROM orders
WHERE status = 'placed' AND payment_status IN ('pending', 'declined', 'unknown') AND id < :before
ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED
""")  # noqa: S608
_WRITE = Hot("""
WITH moved AS (
    UPDATE orders o SET status = m.status, payment_status = m.payment_status, fulfilment_status = m.fulfilment_status,
        total = m.total, refunded = m.refunded, revision = m.revision, captured = m.captured, overpaid = m.overpaid,
        authorised = m.authorised, returned = m.returned, payment_sequence = m.payment_sequence, paid_at = m.paid_at,
        document_revision = m.document_revision, updated_at = :at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:payments AS text[]),
        CAST(:fulfilments AS text[]), CAST(:totals AS bigint[]), CAST(:refunded AS bigint[]),
        CAST(:revisions AS integer[]), CAST(:captured AS bigint[]), CAST(:overpaid AS bigint[]),
        CAST(:authorised AS bigint[]), CAST(:returned AS bigint[]), CAST(:sequences AS integer[]),
        CAST(:paid_ats AS timestamptz[]), CAST(:documents AS integer[]))
        AS m(id, status, payment_status, fulfilment_status, total, refunded, revision, captured, overpaid, authorised,
            returned, payment_sequence, paid_at, document_revision)
    WHERE o.id = m.id AND o.id BETWEEN :lowest AND :highest AND o.customer_id = ANY(CAST(:customers AS uuid[]))
)
INSERT INTO order_timeline (order_id, customer_id, entry, at, from_status, to_status, payment_status, trigger, actor,
    cause, note)
SELECT order_id, customer_id, entry, :at, from_status, to_status, payment_status, trigger, :actor, cause, note
FROM unnest(CAST(:entry_ids AS uuid[]), CAST(:entry_customers AS uuid[]), CAST(:entries AS integer[]),
    CAST(:from_statuses AS text[]), CAST(:to_statuses AS text[]), CAST(:payment_statuses AS text[]),
    CAST(:triggers AS text[]), CAST(:causes AS text[]), CAST(:notes AS text[]))
    AS e(order_id, customer_id, entry, from_status, to_status, payment_status, trigger, cause, note)
""")


@dataclass(slots=True)
class Moving:
    """An order under lock; amounts in minor units."""

    id: UUID
    number: str
    customer_id: UUID
    standing: Standing
    total: Money
    revision: int
    document_revision: int
    money: Purse
    paid_at: datetime | None

    @property
    def key(self) -> Key:
        """What names it."""
        return Key(self.id, self.customer_id)

    def move(self, after: Standing, trigger: str, cause: str | None, note: str | None = None) -> "Entry":
        """Go on to *after*; return what the timeline says of it."""
        self.revision += 1
        entry = Entry(self.key, self.revision, self.standing, after, trigger, cause, note)
        self.standing = after
        return entry


@dataclass(frozen=True, slots=True)
class Entry:
    """What the timeline will say of one move."""

    key: Key
    entry: int
    before: Standing
    after: Standing
    trigger: str
    cause: str | None
    note: str | None


async def lock(tx: AsyncSession, keys: Sequence[Key]) -> dict[UUID, Moving]:
    """Lock the orders there are, in the order of their ids."""
    rows = await _LOCK.run(tx, **bounded(sorted(set(keys)))) if keys else ()
    return {row.id: _moving(row) for row in rows}


async def lock_one(tx: AsyncSession, key: Key) -> Moving:
    """Lock one order, or raise OrderNotFoundError."""
    found = await lock(tx, [key])
    if key.id not in found:
        raise OrderNotFoundError(key.id)
    return found[key.id]


async def take_unpaid(tx: AsyncSession, before: UUID, batch: int) -> list[Moving]:
    """Lock orders below *before* that nobody has paid, oldest first; what another replica holds is passed over."""
    return [_moving(row) for row in await _TAKE_UNPAID.run(tx, before=before, batch=batch)]


async def write(tx: AsyncSession, orders: Sequence[Moving], entries: Sequence[Entry], actor: str, at: datetime) -> None:
    """Write where *orders* are now and what happened to them, in one statement."""
    if not orders:
        return
    values: dict[str, Any] = {
        "statuses": [order.standing.order for order in orders],
        "payments": [order.standing.payment for order in orders],
        "fulfilments": [order.standing.fulfilment for order in orders],
        "totals": [order.total.amount for order in orders],
        "revisions": [order.revision for order in orders],
        "captured": [order.money.captured for order in orders],
        "overpaid": [order.money.overpaid for order in orders],
        "authorised": [order.money.authorised for order in orders],
        "refunded": [order.money.refunded for order in orders],
        "returned": [order.money.returned for order in orders],
        "sequences": [order.money.sequence for order in orders],
        "paid_ats": [order.paid_at for order in orders],
        "documents": [order.document_revision for order in orders],
        "entry_ids": [entry.key.id for entry in entries],
        "entry_customers": [entry.key.customer_id for entry in entries],
        "entries": [entry.entry for entry in entries],
        "from_statuses": [entry.before.order for entry in entries],
        "to_statuses": [entry.after.order for entry in entries],
        "payment_statuses": [entry.after.payment for entry in entries],
        "triggers": [entry.trigger for entry in entries],
        "causes": [entry.cause for entry in entries],
        "notes": [entry.note for entry in entries],
        "actor": actor,
        "at": at,
    }
    await _WRITE.run(tx, **values, **bounded([order.key for order in orders]))


def _moving(row: Any) -> Moving:
    standing = Standing(
        OrderStatus(row.status), PaymentStatus(row.payment_status), FulfilmentStatus(row.fulfilment_status)
    )
    return Moving(
        row.id,
        row.number,
        row.customer_id,
        standing,
        Money(amount=row.total, currency=row.currency),
        row.revision,
        row.document_revision,
        Purse(row.captured, row.overpaid, row.authorised, row.refunded, row.returned, row.payment_sequence),
        row.paid_at,
    )
