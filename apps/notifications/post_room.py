"""Claims messages, keeps their leases and writes down their outcomes; what sends them is in lanes.py."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from apps.chassis.database import Database
from apps.chassis.pacing import Pace
from apps.chassis.telemetry import log
from apps.notifications import store
from apps.notifications.domain import Outcome
from apps.notifications.intake import Intake
from apps.notifications.store import Message

_CLAIMED_AT_ONCE = 200
_RENEWALS_PER_LEASE = 3
_PAUSE_AFTER_TROUBLE_S = 0.5
# Claims and outcomes that follow closely are gathered this long: a statement for three mails costs hardly more than one
# for one. A lane runs at most one mail ahead of what is written.
_GATHER_S = 0.02


async def until_done(step: Callable[[], Awaitable[None]]) -> None:
    """Try *step* until it succeeds; its trouble is logged and waited out."""
    while True:
        try:
            return await step()
        except Exception as error:  # noqa: BLE001  # the database still knows what was to be done
            log.warning("post_room_interrupted", step=getattr(step, "__name__", "step"), error=type(error).__name__)
            await asyncio.sleep(_PAUSE_AFTER_TROUBLE_S)


async def for_ever(step: Callable[[], Awaitable[None]]) -> None:
    """Repeat *step* until cancelled."""
    while True:
        await until_done(step)


class PostRoom:
    """One process' share of the messages."""

    def __init__(self, database: Database, intake: Intake, *, holder: str, lease: timedelta, capacity: int) -> None:
        self._database = database
        self._intake = intake
        self._holder = holder
        self._lease = lease
        self._capacity = capacity
        self._leased_until: dict[UUID, float] = {}
        self._waiting: asyncio.PriorityQueue[tuple[int, UUID, Message]] = asyncio.PriorityQueue()
        self.strangers: asyncio.Queue[Message] = asyncio.Queue()
        """Messages whose contact is not known here."""
        self._outcomes: list[tuple[Outcome, asyncio.Future[None]]] = []
        self._settled = asyncio.Event()
        self._claiming, self._writing = Pace(_GATHER_S), Pace(_GATHER_S)
        self._behind = False
        self._open = False

    @property
    def room(self) -> int:
        """How many more messages may be claimed; none before `take_over`, which would give them away again."""
        return max(0, self._capacity - len(self._leased_until)) if self._open else 0

    async def take_over(self) -> None:
        """Make due what the process that stood here before had claimed: it is gone, and its lease need not run out."""
        async with self._database.transaction() as tx:
            await store.release(tx, self._holder)
        self._open = True
        self._intake.called.set()
        await self.sweep()

    async def claim(self) -> None:
        """Wait until the queue brings something, or there is room for more of what is due, and claim it."""
        await self._intake.called.wait()
        await self._claiming.turn()
        self._intake.called.clear()
        while self._has_room() and (ids := self._intake.take(min(self.room, _CLAIMED_AT_ONCE))):
            await self._claim(ids)
        if self._behind and self._has_room():
            await self.sweep()

    async def _claim(self, ids: Sequence[UUID]) -> None:
        leased_until = self._lease_end()
        try:
            async with self._database.statement() as tx:
                messages = await store.claim(tx, ids, self._holder, self._lease)
        except BaseException:
            # the queue has its answer and will not bring them again
            self._intake.bring(ids)
            raise
        self._admit(messages, leased_until)

    async def sweep(self) -> None:
        """Claim what is due: not brought by the queue, left by a sender that fell silent, or to be tried again."""
        limit = self.room
        leased_until = self._lease_end()
        async with self._database.transaction() as tx:
            messages = await store.claim_due(tx, limit, self._holder, self._lease) if limit else []
        self._behind = len(messages) == limit
        self._admit(messages, leased_until)

    async def next(self) -> Message:
        """Return the most urgent message that is still ours to send."""
        while True:
            _, id_, message = await self._waiting.get()
            if self._leased_until.get(id_, 0.0) > time.monotonic():
                return message
            # somebody else has it by now
            self._leased_until.pop(id_, None)

    def ready(self, message: Message) -> None:
        """Put a message in line: by priority, then by age."""
        self._waiting.put_nowait((message.priority, message.id, message))

    def contents(self, message: Message) -> dict[str, Any]:
        """Open what a message says, no sooner than it is sent; ValueError where that cannot be."""
        return store.contents(message, self._database.codec)

    async def settle(self, outcome: Outcome) -> None:
        """Note what became of a message and return once that is written; who is cancelled meanwhile loses nothing."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outcomes.append((outcome, written))
        self._settled.set()
        await written

    async def write_outcomes(self) -> None:
        """Wait for outcomes and write all there are in one statement."""
        await self._settled.wait()
        await self._writing.turn()
        await self.flush()

    async def flush(self) -> None:
        """Write the outcomes noted so far; they stay noted where that fails."""
        batch = tuple(self._outcomes)
        if batch:
            async with self._database.statement() as tx:
                await store.settle(tx, [outcome for outcome, _ in batch], self._holder)
        del self._outcomes[: len(batch)]
        for outcome, written in batch:
            self._leased_until.pop(outcome.message_id, None)
            if not written.done():
                written.set_result(None)
        if not self._outcomes:
            self._settled.clear()
        if self._has_room() and (self._behind or len(self._intake)):
            self._intake.called.set()

    async def renew(self) -> None:
        """Prolong the leases after a while, so that a slow provider does not have its messages sent twice."""
        await asyncio.sleep(self._lease.total_seconds() / _RENEWALS_PER_LEASE)
        # what has an outcome is being written: renewing it as well could deadlock with that
        ids = self._leased_until.keys() - {outcome.message_id for outcome, _ in self._outcomes}
        if not ids:
            return
        leased_until = self._lease_end()
        async with self._database.transaction() as tx:
            ours = await store.renew(tx, list(ids), self._holder, self._lease)
        for id_ in ids & self._leased_until.keys():
            self._leased_until[id_] = leased_until if id_ in ours else 0.0

    async def close(self) -> None:
        """Write what is known and let others have the rest at once."""
        self._open = False
        await self.flush()
        async with self._database.transaction() as tx:
            await store.release(tx, self._holder)

    def _has_room(self) -> bool:
        """Tell whether claiming is worth its statement: a few at a time would cost one each."""
        return self.room * 2 >= self._capacity

    def _lease_end(self) -> float:
        return time.monotonic() + self._lease.total_seconds()

    def _admit(self, messages: Sequence[Message], leased_until: float) -> None:
        for message in messages:
            known = message.id in self._leased_until
            self._leased_until[message.id] = leased_until
            if known:
                continue
            if message.email is None:
                self.strangers.put_nowait(message)
            else:
                self.ready(message)
