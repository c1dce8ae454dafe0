"""Facts published once more, under the ids they had: what a broker lost arrives, and inboxes know the rest."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from apps.chassis.codec import Codec
from apps.chassis.database import Database
from apps.chassis.hot import Hot
from apps.chassis.outbox import Envelope
from apps.chassis.relay import Publisher, by_destination
from apps.chassis.sidecar import SidecarError

# Pages by time of publishing: that is when a broker had the facts, and lost them.
_PAGE = Hot("""
SELECT id, published_at, envelope FROM outbox
WHERE (published_at, id) > (CAST(:at AS timestamptz), CAST(:id AS uuid)) AND published_at <= :until
ORDER BY published_at, id LIMIT :limit
""")
_BEFORE = timedelta(microseconds=1)
_LAST = UUID(int=(1 << 128) - 1)


class Place(BaseModel):
    """How far a replay has come."""

    at: AwareDatetime
    id: UUID


class ReplayPage(BaseModel):
    """Which facts to publish again; `until` keeps a replay from chasing what is published meanwhile."""

    since: AwareDatetime
    until: AwareDatetime
    topic: str | None = None
    after: Place | None = None
    limit: int = Field(default=100, ge=1, le=1_000)


class Replayed(BaseModel):
    """What was published of a page; without `next` it was the last."""

    published: dict[str, int]
    unreadable: int
    kept_since: datetime
    """What was published before has been swept."""
    next: Place | None


async def replay(database: Database, publisher: Publisher, codec: Codec, page: ReplayPage, kept: timedelta) -> Replayed:
    """Publish one page; raise SidecarError where the broker did not take all of it, and the page is to come again."""
    place = page.after or Place(at=page.since - _BEFORE, id=_LAST)
    async with database.reading() as connection:
        rows = await _PAGE.run(connection, at=place.at, id=place.id, until=page.until, limit=page.limit)
    envelopes = [envelope for row in rows if (envelope := _read(codec, row))]
    chosen = [envelope for envelope in envelopes if page.topic in (None, envelope.topic)]
    await _publish(publisher, chosen)
    return Replayed(
        published=dict(Counter(envelope.topic for envelope in chosen)),
        unreadable=len(rows) - len(envelopes),
        kept_since=datetime.now(UTC) - kept,
        next=Place(at=rows[-1].published_at, id=rows[-1].id) if len(rows) == page.limit else None,
    )


def _read(codec: Codec, row: Any) -> Envelope | None:
    try:
        return Envelope.load(row.id, codec.open(row.envelope, f"outbox:{row.id}"))
    except ValueError:
        return None


async def _publish(publisher: Publisher, envelopes: Sequence[Envelope]) -> None:
    for (pubsub, topic), group in by_destination(envelopes).items():
        if rejected := await publisher.publish(pubsub, topic, group):
            raise SidecarError(f"{pubsub} did not take {len(rejected)} of {topic}")
