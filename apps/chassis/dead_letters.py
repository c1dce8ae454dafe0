"""Events that can never succeed as they are, kept where people can see, mend and send them again."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.codec import Codec
from apps.chassis.deliveries import Delivery

# What somebody has dealt with may come once more, when facts are published again: it is in the inbox, and stays away.
_ADD = text("""
INSERT INTO dead_letters (id, key, envelope) SELECT CAST(:id AS uuid), CAST(:key AS uuid), CAST(:envelope AS bytea)
WHERE NOT EXISTS (SELECT FROM inbox WHERE inbox.key = CAST(:key AS uuid)) ON CONFLICT (key) DO NOTHING
""")
_LIST = text("SELECT id, received_at, envelope FROM dead_letters WHERE id < :before ORDER BY id DESC LIMIT :limit")
_GET = text("SELECT id, received_at, envelope FROM dead_letters WHERE id = :id")
_LOCK = text("SELECT id, received_at, envelope FROM dead_letters WHERE id = :id FOR UPDATE")
_REMOVE = text("DELETE FROM dead_letters WHERE id = :id RETURNING key")
_SETTLE = text("INSERT INTO inbox (key) VALUES (:key) ON CONFLICT DO NOTHING")


class DeadLetterNotFoundError(Exception):
    """There is no such dead letter, or somebody has dealt with it."""

    def __init__(self) -> None:
        super().__init__("There is no such dead letter; it may have been redelivered or discarded.")


def _view(codec: Codec, row: Any) -> dict[str, Any]:
    """Return what is kept, or that it cannot be opened: one such letter must not hide the others."""
    received_at: datetime = row.received_at
    try:
        stored = orjson.loads(codec.open(row.envelope, f"dead_letters:{row.id}"))
    except ValueError as error:
        stored = {"event_id": None, "topic": None, "reason": f"cannot be opened: {error}", "event": None}
    return {"id": str(row.id), "received_at": received_at.isoformat(), **stored}


async def add(tx: AsyncSession, codec: Codec, key: UUID, delivery: Delivery) -> None:
    """Keep *delivery* with its reason; a second copy of the same event is not kept twice."""
    id_ = uuid7()
    stored = {"event_id": delivery.id, "topic": delivery.topic, "reason": delivery.reason, "event": delivery.raw}
    sealed = codec.seal(orjson.dumps(stored), f"dead_letters:{id_}")
    await tx.execute(_ADD, {"id": id_, "key": key, "envelope": sealed})


async def list_before(tx: AsyncSession, codec: Codec, before: UUID, limit: int) -> list[dict[str, Any]]:
    """Return dead letters, newest first, whose id is below *before*."""
    return [_view(codec, row) for row in await tx.execute(_LIST, {"before": before, "limit": limit})]


async def get(tx: AsyncSession, codec: Codec, id_: UUID, *, lock: bool = False) -> dict[str, Any]:
    """Return one, or raise DeadLetterNotFoundError."""
    row = (await tx.execute(_LOCK if lock else _GET, {"id": id_})).first()
    if row is None:
        raise DeadLetterNotFoundError
    return _view(codec, row)


async def remove(tx: AsyncSession, id_: UUID) -> None:
    """Forget one for good, also when its event comes once more; or raise DeadLetterNotFoundError."""
    key = await tx.scalar(_REMOVE, {"id": id_})
    if key is None:
        raise DeadLetterNotFoundError
    await tx.execute(_SETTLE, {"key": key})
