"""Documents on the way: a crash may leave one that no order names, and here it is found and removed.

An order's transaction takes its intent back; the sweeper claims those that are old. Both go by the same row, so that no
document is removed whose order is still to come.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.app import Chassis
from apps.chassis.hot import Hot
from apps.chassis.sidecar import SidecarError
from apps.orders.details import STORE, Reference

_AT_ONCE = 8
# Not waited for on the disk: a database that crashes within the next moment loses the transaction that follows as well.
_ANNOUNCE = Hot("""
INSERT INTO document_intents (id, keys)
SELECT :id, CAST(:keys AS text[]) FROM set_config('synchronous_commit', 'off', true)
""")
_REVISION = Hot("SELECT nextval('document_revisions')::integer AS revision")
_DONE = Hot("DELETE FROM document_intents WHERE id = :id AND claimed_at IS NULL RETURNING id")
_LEAVE = Hot("""
UPDATE document_intents SET keys = CAST(:keys AS text[]), at = now() WHERE id = :id AND claimed_at IS NULL RETURNING id
""")
# One that was claimed and is still there belonged to a sweeper that died.
_CLAIM = Hot("""
UPDATE document_intents SET claimed_at = now() WHERE id = ANY(ARRAY(
    SELECT id FROM document_intents WHERE at < now() - CAST(:age AS interval)
    AND (claimed_at IS NULL OR claimed_at < now() - CAST(:age AS interval))
    ORDER BY at LIMIT :batch FOR UPDATE SKIP LOCKED
)) RETURNING id, keys
""")
# A try that failed and was repeated leaves keys that an order has by now, or is about to.
_WANTED = Hot("""
SELECT w.key FROM unnest(CAST(:keys AS text[])) AS w(key)
WHERE EXISTS (SELECT FROM orders o WHERE o.id = CAST(split_part(w.key, '.', 1) AS uuid)
    AND o.document_revision = CAST(split_part(w.key, '.', 2) AS integer))
OR EXISTS (SELECT FROM document_intents i WHERE i.claimed_at IS NULL AND w.key = ANY(i.keys))
""")
_FORGET = Hot("DELETE FROM document_intents WHERE id = ANY(CAST(:ids AS uuid[]))")


async def announce(connection: AsyncConnection, references: Iterable[Reference]) -> UUID:
    """Note, before they are written, which documents are about to be; return what `settle` wants."""
    intent: UUID = uuid7()
    await _ANNOUNCE.run(connection, id=intent, keys=[reference.key for reference in references])
    return intent


async def next_revision(connection: AsyncConnection) -> int:
    """Return a number that no document of any order has."""
    ((revision,),) = await _REVISION.run(connection)
    return int(revision)


async def settle(tx: AsyncSession, intent: UUID, orphans: Collection[Reference] = ()) -> None:
    """Take the intent back but for *orphans*, which nothing names from now on; SidecarError where it is too late."""
    if orphans:
        done = await _LEAVE.run(tx, id=intent, keys=[reference.key for reference in orphans])
    else:
        done = await _DONE.run(tx, id=intent)
    if not done:
        raise SidecarError("the documents were written too long ago, and are gone")


async def sweep(chassis: Chassis, age: timedelta, batch: int) -> int:
    """Remove documents that were announced *age* ago and that nothing names; return how many."""
    async with chassis.database.transaction() as tx:
        claimed = await _CLAIM.run(tx, age=age, batch=batch)
    if not claimed:
        return 0
    keys = sorted({key for row in claimed for key in row.keys})
    async with chassis.database.reading() as connection:
        wanted = {row.key for row in await _WANTED.run(connection, keys=keys)}
    orphans = [key for key in keys if key not in wanted]
    await _remove(chassis, orphans)
    async with chassis.database.transaction() as tx:
        await _FORGET.run(tx, ids=[row.id for row in claimed])
    return len(orphans)


async def _remove(chassis: Chassis, keys: Sequence[str]) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(key: str) -> None:
        async with gate:
            await chassis.documents.delete(STORE, key)

    await asyncio.gather(*(one(key) for key in keys))
