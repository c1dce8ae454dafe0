"""The statements by which orders move on: locked together, changed together, told together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.contracts.base import Money
from apps.orders.domain import FulfilmentStatus, OrderStatus, PaymentStatus, Standing
from apps.orders.store import bounded

_LOCK = Hot("""
SELECT id, number, customer_id, status, payment_status, fulfilment_status, total, currency, refunded, revision
FROM orders WHERE id = ANY(CAST(:ids AS uuid[])) AND id BETWEEN :lowest AND :highest
ORDER BY id FOR UPDATE
""")
_WRITE = Hot("""
WITH moved AS (
    UPDATE orders o SET status = m.status, payment_status = m.payment_status, refunded = m.refunded,
        revision = m.revision, updated_at = :at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:payments AS text[]), CAST(:refunded AS bigint[]),
        CAST(:revisions AS integer[])) AS m(id, status, payment_status, refunded, revision)
    WHERE o.id = m.id AND o.id BETWEEN :lowest AND :highest
)
INSERT INTO order_timeline (order_id, entry, at, from_status, to_status, payment_status, trigger, actor, cause, note)
SELECT order_id, entry, :at, from_status, to_status, payment_status, trigger, :actor, cause, note
FROM unnest(CAST(:entry_ids AS uuid[]), CAST(:entries AS integer[]), CAST(:from_statuses AS text[]),
    CAST(:to_statuses AS text[]), CAST(:payment_statuses AS text[]), CAST(:triggers AS text[]),
    CAST(:causes AS text[]), CAST(:notes AS text[]))
    AS e(order_id, entry, from_status, to_status, payment_status, trigger, cause, note)
""")


@dataclass(slots=True)
class Moving:
    """An order under lock."""

    id: UUID
    number: str
    customer_id: UUID
    standing: Standing
    total: Money
    refunded: int
    revision: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What the timeline will say of one move."""

    order_id: UUID
    entry: int
    before: Standing
    after: Standing
    trigger: str
    cause: str | None
    note: str | None


async def lock(tx: AsyncSession, order_ids: Sequence[UUID]) -> dict[UUID, Moving]:
    """Lock the orders there are, in the order of their ids."""
    rows = await _LOCK.run(tx, **bounded(sorted(set(order_ids)))) if order_ids else ()
    return {row.id: _moving(row) for row in rows}


async def write(tx: AsyncSession, orders: Sequence[Moving], entries: Sequence[Entry], actor: str, at: datetime) -> None:
    """Write where *orders* are now and what happened to them, in one statement."""
    if not entries:
        return
    values: dict[str, Any] = {
        "statuses": [order.standing.order for order in orders],
        "payments": [order.standing.payment for order in orders],
        "refunded": [order.refunded for order in orders],
        "revisions": [order.revision for order in orders],
        "entry_ids": [entry.order_id for entry in entries],
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
    await _WRITE.run(tx, **values, **bounded([order.id for order in orders]))


def _moving(row: Any) -> Moving:
    standing = Standing(
        OrderStatus(row.status), PaymentStatus(row.payment_status), FulfilmentStatus(row.fulfilment_status)
    )
    total = Money(amount=row.total, currency=row.currency)
    return Moving(row.id, row.number, row.customer_id, standing, total, row.refunded, row.revision)
