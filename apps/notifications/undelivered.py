"""Messages that did not arrive: what they said lies in the `undelivered` store, and the rows here are its index."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.chassis.codec import Codec
from apps.chassis.database import Database
from apps.chassis.documents import Documents
from apps.chassis.hot import Hot
from apps.chassis.sidecar import Document
from apps.notifications.domain import Category
from apps.notifications.store import GRACE
from apps.notifications.use_cases import QUEUES

STORE = "undelivered"
BATCH = 200

_TO_FILE = Hot(
    "SELECT id, data, sealed FROM messages WHERE state = 'failed' AND filed_at IS NULL ORDER BY id LIMIT :limit"
)
_FILED = Hot("""
UPDATE messages SET filed_at = now(), expires_at = now() + :ttl, data = '{}', sealed = NULL
WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'failed' AND filed_at IS NULL
""")
_WANTED = Hot("""
SELECT id, filed_at IS NOT NULL AS filed FROM messages WHERE state = 'failed' AND wanted_at IS NOT NULL
ORDER BY id LIMIT :limit
""")
# expires_at stays: until then the store may hold a copy, and who forgets somebody must find it.
_SEND_AGAIN = Hot("""
UPDATE messages SET state = 'queued', due_at = now() + :grace, attempts = 0, first_tried_at = NULL, reason = NULL,
    failed_at = NULL, filed_at = NULL, wanted_at = NULL,
    data = coalesce(kept.data, messages.data), sealed = coalesce(kept.sealed, messages.sealed)
FROM unnest(CAST(:ids AS uuid[]), CAST(:data AS jsonb[]), CAST(:sealed AS bytea[])) AS kept (id, data, sealed)
WHERE messages.id = kept.id AND messages.state = 'failed' AND messages.wanted_at IS NOT NULL
RETURNING messages.id, messages.category
""")
_GONE = Hot("""
UPDATE messages SET wanted_at = NULL, reason = 'what it said is no longer in the undelivered store; ' || reason
WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'failed'
""")
_EXPIRE = Hot("""
UPDATE messages SET state = 'discarded' WHERE id IN (
    SELECT id FROM messages WHERE state = 'failed' AND expires_at < now() ORDER BY expires_at LIMIT :limit
    FOR UPDATE SKIP LOCKED)
""")
_TO_SHRED = Hot("SELECT message_id FROM shreds LIMIT :limit")
_SHREDDED = Hot("DELETE FROM shreds WHERE message_id = ANY(CAST(:ids AS uuid[]))")


@dataclass(frozen=True, slots=True)
class Cabinet:
    """Moves what undelivered messages say into the store and back; every step may be repeated, on any replica."""

    database: Database
    documents: Documents
    ttl: timedelta
    called: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where somebody wants something sent again: they need not wait for the clock."""

    async def answer(self) -> None:
        """Wait until called, and send again all that is wanted."""
        await self.called.wait()
        self.called.clear()
        while await self.send_again() == BATCH:
            pass

    async def file(self) -> int:
        """Put away what failed since, a batch of it; the store has it before the row lets go of it."""
        async with self.database.transaction() as tx:
            rows = await _TO_FILE.run(tx, limit=BATCH)
        if rows:
            kept = {str(row.id): _document(row, self.database.codec) for row in rows}
            await self.documents.put(STORE, kept, int(self.ttl.total_seconds()))
            async with self.database.transaction() as tx:
                await _FILED.run(tx, ids=sorted(row.id for row in rows), ttl=self.ttl)
        return len(rows)

    async def send_again(self) -> int:
        """Queue a batch of what somebody wants redelivered."""
        async with self.database.transaction() as tx:
            rows = await _WANTED.run(tx, limit=BATCH)
        if not rows:
            return 0
        found = await self._read([row.id for row in rows if row.filed])
        gone = [row.id for row in rows if row.filed and row.id not in found]
        async with self.database.transaction() as tx:
            await _queue_again(tx, [row.id for row in rows if row.id not in gone], found)
            if gone:
                await _GONE.run(tx, ids=gone)
        return len(rows)

    async def content(self, id_: UUID) -> Mapping[str, Any] | None:
        """Return what a message said; None where the store no longer has it."""
        return (await self._read([id_])).get(id_)

    async def tidy(self) -> None:
        """Give up what lay too long, and remove from the store what is of no more use."""
        async with self.database.transaction() as tx:
            await _EXPIRE.run(tx, limit=BATCH * 10)
            rows = await _TO_SHRED.run(tx, limit=BATCH)
        if rows:
            await self.documents.remove(STORE, [str(row.message_id) for row in rows])
            async with self.database.transaction() as tx:
                await _SHREDDED.run(tx, ids=[row.message_id for row in rows])

    async def _read(self, ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
        if not ids:
            return {}
        found = await self.documents.read(STORE, [str(id_) for id_ in ids])
        return {UUID(key): _content(key, document, self.database.codec) for key, document in found.items()}


async def _queue_again(tx: AsyncSession, ids: Sequence[UUID], found: Mapping[UUID, dict[str, Any]]) -> None:
    contents = [found.get(id_, {}) for id_ in ids]
    rows = await _SEND_AGAIN.run(
        tx,
        ids=list(ids),
        data=[orjson.dumps(it["data"]).decode() if "data" in it else None for it in contents],
        sealed=[base64.b64decode(it["sealed"]) if it.get("sealed") else None for it in contents],
        grace=GRACE,
    )
    for row in rows:
        outbox.record(tx, QUEUES[Category(row.category)](message_id=row.id, sequence=1))


def _document(row: Any, codec: Codec) -> bytes:
    """Return a JSON string, which every store keeps as it is, of what the message said, sealed."""
    sealed = base64.b64encode(row.sealed).decode() if row.sealed else None
    whole = codec.seal(orjson.dumps({"data": row.data, "sealed": sealed}), f"undelivered:{row.id}")
    return orjson.dumps(base64.b64encode(whole).decode())


def _content(key: str, document: Document, codec: Codec) -> dict[str, Any]:
    opened: dict[str, Any] = orjson.loads(
        codec.open(base64.b64decode(orjson.loads(document.value)), f"undelivered:{key}")
    )
    return opened
