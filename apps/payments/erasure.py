"""Forgetting a person: what is theirs is gone with its data keys, and what money came to stays readable."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.payments import decisions, records, store

_BATCH: Final = 200
_REMEMBER = Hot(
    "INSERT INTO erasures (customer_ix) SELECT unnest(CAST(:ixs AS uuid[])) ORDER BY 1 ON CONFLICT DO NOTHING"
)
# What still moves is left until it is at rest: the processor may have to be asked for it by the customer's method.
_TAKE = Hot(
    f"SELECT {store.COLUMNS} FROM payments p JOIN erasures ON erasures.customer_ix = p.customer_ix "  # noqa: S608
    "WHERE p.due_at IS NULL AND p.lease IS NULL ORDER BY p.order_ix LIMIT :limit FOR UPDATE OF p SKIP LOCKED"
)
_DETACH = Hot("UPDATE payments SET customer_ix = gen_random_uuid() WHERE id = ANY(CAST(:ids AS uuid[]))")
_DROP_ANSWERS = Hot("DELETE FROM provider_answers WHERE payment_id = ANY(CAST(:ids AS uuid[]))")
# The row stays, so that the same webhook is known when it comes again.
_DROP_NOTICES = Hot("UPDATE notices SET sealed = '' WHERE payment_id = ANY(CAST(:ids AS uuid[]))")
# Facts of theirs may arrive late, yet not later than an inbox remembers.
_LET_GO = Hot("DELETE FROM erasures WHERE heard_at < now() - interval '30 days'")


async def remember(tx: AsyncSession, customer_ids: Iterable[UUID]) -> None:
    """Note whom to forget, now and should more of theirs come."""
    keeper = records.vault(tx)
    await _REMEMBER.run(tx, ixs=[keeper.blind("customer", id_.bytes) for id_ in customer_ids])


async def forget_some(tx: AsyncSession) -> int:
    """Forget persons in payments that are at rest; return in how many, which is less than a batch once all is done.

    The record is sealed anew without its person, under another data key: the one before is overwritten.
    """
    held = [records.read(tx, row) for row in await _TAKE.run(tx, limit=_BATCH)]
    ids = [each.payment.id for each in held]
    for each in held:
        decisions.forget_person(each.payment)
    await store.save(tx, [(each, None) for each in held])
    if ids:
        await _DETACH.run(tx, ids=ids)
        await _DROP_ANSWERS.run(tx, ids=ids)
        await _DROP_NOTICES.run(tx, ids=ids)
    return len(ids)


async def let_go(tx: AsyncSession) -> None:
    """Stop watching for persons of whom nothing more can come."""
    await _LET_GO.run(tx)
