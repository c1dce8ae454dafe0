"""Forgetting people: names, addresses, wishes and notes go; what was bought and what it cost stays, as the law wants.

Whose parcel has still to be sent, needs its address until then: the claim waits.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.app import Chassis
from apps.chassis.hot import Hot
from apps.chassis.telemetry import log
from apps.orders import details, intents, settling
from apps.orders.details import Details, Reference
from apps.orders.schemas import Address
from apps.orders.states import ERASED_TRIGGER
from apps.orders.tables import Key

_PEOPLE = 5
_ORDERS = 50
_AGAIN = timedelta(hours=1)
_ACTOR = "service:users"
GONE = "erased"

_ASK = Hot("""
INSERT INTO erasures (customer_id) SELECT id FROM unnest(CAST(:ids AS uuid[])) AS p(id) ORDER BY id
ON CONFLICT (customer_id) DO UPDATE SET tried_at = NULL
""")
_TAKE = Hot("""
UPDATE erasures SET tried_at = now() WHERE customer_id = ANY(ARRAY(
    SELECT customer_id FROM erasures WHERE tried_at IS NULL OR tried_at < now() - CAST(:again AS interval)
    ORDER BY tried_at NULLS FIRST LIMIT :batch FOR UPDATE SKIP LOCKED
)) RETURNING customer_id
""")
_OPEN = "('placed', 'paid', 'partly_shipped')"
_ORDERS_OF = Hot(f"""
SELECT id, document_revision FROM orders
WHERE customer_id = :customer_id AND erased_at IS NULL AND status NOT IN {_OPEN} ORDER BY id LIMIT :batch
""")  # noqa: S608  # our own words
# What is still open keeps the claim; everything else is done, or the next round's.
_DONE = Hot("""
DELETE FROM erasures WHERE customer_id = :customer_id
AND NOT EXISTS (SELECT FROM orders WHERE customer_id = :customer_id AND erased_at IS NULL)
""")
_WIPE = Hot("""
WITH kept AS (UPDATE orders SET erased_at = :at WHERE id = :id AND customer_id = :customer_id),
told AS (
    UPDATE order_timeline SET note = NULL WHERE order_id = :id AND customer_id = :customer_id AND note IS NOT NULL
),
sent AS (UPDATE order_shipments SET tracking_number = :gone WHERE order_id = :id AND customer_id = :customer_id)
UPDATE order_returns SET reason = :gone WHERE order_id = :id AND customer_id = :customer_id
""")


async def ask(tx: AsyncSession, customer_ids: Sequence[UUID]) -> None:
    """Claim that these people are to be forgotten; the clock does it: documents lie outside of any transaction."""
    await _ASK.run(tx, ids=sorted(set(customer_ids)))


async def erase_people(chassis: Chassis) -> None:
    """Forget some of those who are to be forgotten, a page of orders each."""
    async with chassis.database.transaction() as tx:
        people = [row.customer_id for row in await _TAKE.run(tx, again=_AGAIN, batch=_PEOPLE)]
    for customer_id in people:
        try:
            await _forget(chassis, customer_id)
        except Exception as error:  # noqa: BLE001  # one person's trouble must not hold up the others
            log.warning("erasing_failed", customer_id=str(customer_id), error=type(error).__name__)


async def _forget(chassis: Chassis, customer_id: UUID) -> None:
    while True:
        async with chassis.database.reading() as connection:
            rows = await _ORDERS_OF.run(connection, customer_id=customer_id, batch=_ORDERS)
        for row in rows:
            await _wipe(chassis, customer_id, Reference(row.id, row.document_revision))
        if len(rows) < _ORDERS:
            break
    async with chassis.database.transaction() as tx:
        await _DONE.run(tx, customer_id=customer_id)


async def _wipe(chassis: Chassis, customer_id: UUID, old: Reference) -> None:
    """Put a document without the person in the place of *old*, which goes once nobody reads it any more."""
    (before,) = await details.get(chassis.documents, [old])
    async with chassis.database.reading() as connection:
        new = Reference(old.order_id, await intents.next_revision(connection))
        intent = await intents.announce(connection, [new])
    await details.put(chassis.documents, {new: _without_person(before)})
    async with chassis.database.transaction() as tx:
        order = await settling.lock_one(tx, Key(old.order_id, customer_id))
        if order.document_revision != old.revision:
            return  # it changed meanwhile; the next round sees the newer one
        await intents.settle(tx, intent, [old])
        order.document_revision = new.revision
        entry = order.move(order.standing, ERASED_TRIGGER, None)
        now = datetime.now(UTC)
        await settling.write(tx, [order], [entry], _ACTOR, now)
        await _WIPE.run(tx, **order.key._asdict(), at=now, gone=GONE)


def _without_person(document: Details) -> Details:
    country = document.shipping_address.country
    nowhere = Address(name=GONE, line1=GONE, city=GONE, postal_code=GONE, country=country)
    return Details(configurations={}, shipping_address=nowhere, note=None, payment_method=GONE)
