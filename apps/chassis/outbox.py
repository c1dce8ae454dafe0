"""What leaves a service is written in the transaction that made it true, and published afterwards by the relay."""

from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis import telemetry
from apps.chassis.codec import Codec
from apps.chassis.hot import Hot
from apps.contracts.base import Event

_PENDING = "outbox"
_WRITE = Hot(
    "INSERT INTO outbox (id, envelope) SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:envelopes AS bytea[]))"
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A fact on its way: where it goes, and its CloudEvent `data` as JSON bytes."""

    id: UUID
    pubsub: str
    topic: str
    key: str
    data: bytes
    traceparent: str | None

    def dump(self) -> bytes:
        """Return the stored form."""
        return orjson.dumps(
            {
                "pubsub": self.pubsub,
                "topic": self.topic,
                "key": self.key,
                "traceparent": self.traceparent,
                "data": orjson.Fragment(self.data),
            }
        )

    @classmethod
    def load(cls, id_: UUID, stored: bytes) -> "Envelope":
        """Read the stored form back; raise ValueError where it is none."""
        fields = orjson.loads(stored)
        try:
            data = orjson.dumps(fields["data"])
            return cls(id_, fields["pubsub"], fields["topic"], fields["key"], data, fields["traceparent"])
        except (KeyError, TypeError) as error:
            raise ValueError("this is no envelope") from error


def record(tx: AsyncSession, event: Event, *, caused_by: Event | None = None, trace: str | None = None) -> None:
    """Promise that *event* will be published if, and only if, *tx* commits.

    Its trace is *trace*, that of the fact it was caused by, or that of the work in hand.
    """
    trace = trace or (caused_by.traceparent if caused_by else None) or telemetry.traceparent()
    data = event.model_dump_json().encode()
    tx.info.setdefault(_PENDING, []).append(Envelope(uuid7(), event.pubsub, event.topic, event.key, data, trace))


def mark(tx: AsyncSession) -> int:
    """Return how much is recorded so far, for `rewind` after a savepoint is rolled back."""
    return len(tx.info.get(_PENDING, ()))


def rewind(tx: AsyncSession, to: int) -> None:
    """Forget what was recorded since `mark` returned *to*."""
    del tx.info.get(_PENDING, [])[to:]


async def write(tx: AsyncSession, codec: Codec) -> int:
    """Write all that was recorded in one statement; return how many rows."""
    pending: list[Envelope] = tx.info.pop(_PENDING, [])
    if pending:
        ids = [envelope.id for envelope in pending]
        sealed = [codec.seal(envelope.dump(), f"outbox:{envelope.id}") for envelope in pending]
        await _WRITE.run(tx, ids=ids, envelopes=sealed)
    return len(pending)
