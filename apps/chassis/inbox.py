"""Events in: once per event and handler, one transaction per batch, and a bad event never blocks its neighbours."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from opentelemetry.trace import SpanKind
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import dead_letters, outbox, telemetry
from apps.chassis.database import Database, is_outage
from apps.chassis.deliveries import Delivery
from apps.chassis.hot import Hot
from apps.chassis.lag import lag
from apps.chassis.sidecar import SidecarError
from apps.contracts.base import Event

EventHandler = Callable[[Event, AsyncSession], Awaitable[None]]
BatchHandler = Callable[[Sequence[Event], AsyncSession], Awaitable[None]]
Hear = Callable[[Sequence[Event]], None]

# An event's own error may be a race with its neighbour: a few short tries settle that, more would hold up the topic.
# All of a batch wait together, so that it is answered long before the broker hands it out a second time.
RETRY_DELAYS_S = (0.05, 0.25, 1.0)

# Keys go in sorted, since two batches that hold the same ones in another order would deadlock.
_CLAIM = Hot("""
INSERT INTO inbox (key) SELECT key FROM unnest(CAST(:keys AS uuid[])) AS arrived(key) ORDER BY key
ON CONFLICT DO NOTHING RETURNING key
""")
# What is a dead letter already waits for people: the broker's next copy of it is answered without a try.
_CLAIM_UNLESS_DEAD = Hot("""
INSERT INTO inbox (key) SELECT key FROM unnest(CAST(:keys AS uuid[])) AS arrived(key)
WHERE NOT EXISTS (SELECT FROM dead_letters dead WHERE dead.key = arrived.key) ORDER BY key
ON CONFLICT DO NOTHING RETURNING key
""")


class OutageError(Exception):
    """The trouble is not the events': the whole batch is to come again."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """The one handler of a topic in this service."""

    event: type[Event]
    handle: BatchHandler
    hear: Hear | None = None
    """Set where the event is a hint, which may be heard twice and leaves nothing in the database."""

    def claim_key(self, event_id: str) -> UUID:
        """Return the inbox key of *event_id*: opaque, since a topic's name may say too much."""
        return UUID(bytes=hashlib.sha256(f"{self.event.topic}|{event_id}".encode()).digest()[:16])


async def receive(database: Database, subscriber: Subscriber, deliveries: Sequence[Delivery]) -> None:
    """Handle a batch durably, or raise OutageError with nothing done.

    What can never succeed is stored as a dead letter in the batch's own transaction.
    """
    if subscriber.hear:
        heard = [delivery.event for delivery in deliveries if delivery.event]
        with _taking(subscriber, heard):
            subscriber.hear(heard)
        deliveries = [delivery for delivery in deliveries if delivery.event is None]
        if not deliveries:
            return
    try:
        if broken := await _in_one_go(database, subscriber, deliveries):
            await _persist(database, subscriber, broken)
    except Exception as error:
        if _is_technical(error):
            raise OutageError from error
        raise


async def _in_one_go(database: Database, subscriber: Subscriber, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Handle all in one transaction; only when one fails pay for a savepoint each. Return those that failed."""
    try:
        async with database.transaction() as tx:
            await _refuse_malformed(tx, database, subscriber, deliveries)
            fresh = await _claim(tx, subscriber, deliveries, _CLAIM_UNLESS_DEAD)
            if fresh:
                await _handle(tx, subscriber, fresh)
    except Exception as error:
        if _is_technical(error):
            raise
        telemetry.log.warning("batch_failed", topic=subscriber.event.topic, size=len(deliveries), error=_name(error))
    else:
        lag.note(delivery.id for delivery in fresh)
        return []
    return await _one_by_one(database, subscriber, deliveries)


async def _handle(tx: AsyncSession, subscriber: Subscriber, deliveries: Sequence[Delivery]) -> None:
    events = [delivery.event for delivery in deliveries if delivery.event]
    with _taking(subscriber, events):
        await subscriber.handle(events, tx)


@contextmanager
def _taking(subscriber: Subscriber, events: Sequence[Event]) -> Generator[None]:
    """Have each event's trace go on from here."""
    arrived = [event.traceparent for event in events]
    with telemetry.spread(arrived, f"take {subscriber.event.topic}", SpanKind.CONSUMER) as onward:
        for event, traceparent in zip(events, onward, strict=True):
            event.arrived_with(traceparent)
        try:
            # what several of a batch have in common belongs to none of their traces
            with telemetry.within(onward[0] if len(onward) == 1 else telemetry.traceparent()):
                yield
        finally:
            for event, traceparent in zip(events, arrived, strict=True):
                event.arrived_with(traceparent)


async def _one_by_one(database: Database, subscriber: Subscriber, deliveries: Sequence[Delivery]) -> list[Delivery]:
    async with database.transaction() as tx:
        await _refuse_malformed(tx, database, subscriber, deliveries)
        return await _attempt_each(tx, subscriber, deliveries)


async def _attempt_each(tx: AsyncSession, subscriber: Subscriber, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Give each event its own savepoint; return those that failed, each with its reason."""
    broken: list[Delivery] = []
    for delivery in deliveries:
        if delivery.event and (error := await attempt(tx, subscriber, delivery)):
            delivery.reason = _name(error)
            broken.append(delivery)
    return broken


async def attempt(
    tx: AsyncSession, subscriber: Subscriber, delivery: Delivery, *, by_hand: bool = False
) -> Exception | None:
    """Claim and handle one event within a savepoint; return its own error, raise a technical one.

    A dead letter is handled only *by_hand*.
    """
    claim = _CLAIM if by_hand else _CLAIM_UNLESS_DEAD
    recorded = outbox.mark(tx)
    try:
        async with tx.begin_nested():
            if delivery.event and await _claim(tx, subscriber, [delivery], claim):
                await _handle(tx, subscriber, [delivery])
    except Exception as error:
        outbox.rewind(tx, recorded)
        if _is_technical(error):
            raise
        return error
    return None


async def _persist(database: Database, subscriber: Subscriber, broken: list[Delivery]) -> None:
    """Try failed events again, after pauses that they share; then keep them where people can see them."""
    for delay in RETRY_DELAYS_S:
        await asyncio.sleep(delay)
        async with database.transaction() as tx:
            broken = await _attempt_each(tx, subscriber, broken)
        if not broken:
            return
    async with database.transaction() as tx:
        for delivery in broken:
            await dead_letters.add(tx, database.codec, subscriber.claim_key(delivery.id), delivery)
    for delivery in broken:
        telemetry.log.error(
            "event_dead_lettered", topic=subscriber.event.topic, event_id=delivery.id, reason=delivery.reason
        )


async def _claim(
    tx: AsyncSession, subscriber: Subscriber, deliveries: Sequence[Delivery], claim: Hot
) -> list[Delivery]:
    """Return the deliveries that nobody has handled; a batch that handles one right now is waited for."""
    by_key = {subscriber.claim_key(delivery.id): delivery for delivery in deliveries if delivery.event}
    if not by_key:
        return []
    claimed = {row.key for row in await claim.run(tx, keys=list(by_key))}
    return [delivery for key, delivery in by_key.items() if key in claimed]


async def _refuse_malformed(
    tx: AsyncSession, database: Database, subscriber: Subscriber, deliveries: Sequence[Delivery]
) -> None:
    for delivery in deliveries:
        if delivery.event is None:
            await dead_letters.add(tx, database.codec, subscriber.claim_key(delivery.id), delivery)


def _is_technical(error: Exception) -> bool:
    return is_outage(error) or isinstance(error, SidecarError | OutageError)


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
