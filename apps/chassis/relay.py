import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from apps.chassis import seams
from apps.chassis.codec import Codec
from apps.chassis.hot import Hot
from apps.chassis.lag import lag
from apps.chassis.metrics import PUBLISHED
from apps.chassis.outbox import Envelope
from apps.chassis.pacing import Pace
from apps.chassis.telemetry import log

# One number for every service: each has a database of its own, and advisory locks are per database.
_LEADER_LOCK = 0x51DECA27
_LEAD = text("SELECT pg_try_advisory_lock(:lock)")
_READ = Hot("SELECT id, envelope FROM outbox WHERE published_at IS NULL AND id > :after ORDER BY id LIMIT :limit")
_MARK = Hot("UPDATE outbox SET published_at = now() WHERE id = ANY(CAST(:ids AS uuid[]))")
_FIRST = UUID(int=0)
_MAX_PAUSE_S = 5.0
_PATIENCE_S = 0.5


class Publisher(Protocol):
    """Where facts go; the sidecar in life."""

    async def publish(self, pubsub: str, topic: str, envelopes: Sequence[Envelope]) -> set[UUID]:
        """Publish in order and return the ids that were not accepted."""
        ...


class Relay:
    """Publishes what the outbox holds, once at least, under the row's id.

    One relay per service works at a time: it holds a session advisory lock, and the others stand by. Reading,
    publishing and marking are separate steps, so a crash between them publishes again under the same id.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        publisher: Publisher,
        codec: Codec,
        *,
        poll: timedelta,
        batch: int,
        pace: timedelta = timedelta(0),
    ) -> None:
        self._engine = engine
        self._publisher = publisher
        self._codec = codec
        self._poll_s = poll.total_seconds()
        self._batch = batch
        self._pace = Pace(pace.total_seconds(), lag.seconds)
        self._woken = asyncio.Event()
        self._unreadable: set[UUID] = set()
        self.leading = False

    def wake(self) -> None:
        """Say that there is something to publish; called after each commit that recorded a fact."""
        self._woken.set()

    async def run(self) -> None:
        """Relay until cancelled; a lost database or broker is waited for."""
        pause = self._poll_s
        while True:
            try:
                async with self._leadership() as connection:
                    if connection is not None:
                        pause = self._poll_s
                        await self._lead(connection)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it was, the rows are still there
                log.warning("relay_interrupted", error=type(error).__name__)
                pause = min(pause * 2, _MAX_PAUSE_S)
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def _leadership(self) -> AsyncGenerator[AsyncConnection | None]:
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            self.leading = bool(await connection.scalar(_LEAD, {"lock": _LEADER_LOCK}))
            try:
                yield connection if self.leading else None
            finally:
                if self.leading:
                    self.leading = False
                    # closing the session frees the lock, whatever state the connection is in
                    await connection.invalidate()

    async def _lead(self, connection: AsyncConnection) -> None:
        pause = self._poll_s
        while True:
            await self._pace.turn()
            self._woken.clear()
            failed = await self.drain(connection)
            pause = min(pause * 2, _MAX_PAUSE_S) if failed else self._poll_s
            if failed:
                await asyncio.sleep(pause)
                continue
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def drain(self, connection: AsyncConnection) -> int:
        """Pass once over what is unpublished; return how many rows failed.

        A destination that fails is left alone for the rest of the pass, so that the others go on. A row that cannot
        be read counts, and is logged, when it is first met: from then on it is no reason to slow down for.
        """
        after, failed, closed = _FIRST, 0, set[tuple[str, str]]()
        while True:
            rows = await _READ.run(connection, after=after, limit=self._batch)
            if not rows:
                return failed
            known = set(self._unreadable)
            envelopes = [envelope for row in rows if (envelope := self._read(row))]
            failed += len(self._unreadable - known)
            failed += await self._publish(connection, envelopes, closed)
            after = rows[-1].id
            if len(rows) < self._batch:
                return failed

    def _read(self, row: Any) -> Envelope | None:
        """Return the row's fact, or None where it cannot be read: it stays, for the day its key is back."""
        try:
            envelope = Envelope.load(row.id, self._codec.open(row.envelope, f"outbox:{row.id}"))
        except ValueError as error:
            if row.id not in self._unreadable:
                self._unreadable.add(row.id)
                log.error("outbox_row_unreadable", row=str(row.id), error=f"{type(error).__name__}: {error}")
            return None
        self._unreadable.discard(row.id)
        return envelope

    async def _publish(
        self, connection: AsyncConnection, envelopes: Sequence[Envelope], closed: set[tuple[str, str]]
    ) -> int:
        marked, published = 0, list[UUID]()
        for destination, group in by_destination(envelopes).items():
            if destination in closed:
                continue
            seams.before("publish")
            trying = asyncio.ensure_future(self._try(destination, group))
            try:
                if published and not (await asyncio.wait({trying}, timeout=_PATIENCE_S))[0]:
                    # A replay finds facts by when they were marked: what is through must not wait for what hangs.
                    marked += await self._mark(connection, published)
                    published = []
                rejected = await trying
            finally:
                trying.cancel()
            seams.after("publish")
            if rejected:
                closed.add(destination)
            accepted = [envelope.id for envelope in group if envelope.id not in rejected]
            PUBLISHED.labels(destination[1]).inc(len(accepted))
            published += accepted
        if published:
            marked += await self._mark(connection, published)
        return len(envelopes) - marked

    async def _mark(self, connection: AsyncConnection, ids: list[UUID]) -> int:
        await _MARK.run(connection, ids=ids)
        seams.after("mark")
        return len(ids)

    async def _try(self, destination: tuple[str, str], group: Sequence[Envelope]) -> set[UUID]:
        try:
            rejected = await self._publisher.publish(*destination, group)
        except Exception as error:  # noqa: BLE001  # any failure means: not accepted, try again
            log.warning("publish_failed", pubsub=destination[0], topic=destination[1], error=type(error).__name__)
            return {envelope.id for envelope in group}
        if rejected:
            log.warning("publish_rejected", pubsub=destination[0], topic=destination[1], count=len(rejected))
        return rejected


def by_destination(envelopes: Sequence[Envelope]) -> dict[tuple[str, str], list[Envelope]]:
    """Return *envelopes* by pubsub and topic, in order."""
    groups: dict[tuple[str, str], list[Envelope]] = {}
    for envelope in envelopes:
        groups.setdefault((envelope.pubsub, envelope.topic), []).append(envelope)
    return groups
