"""Claims messages, keeps their leases and writes down their outcomes; what sends them is in lanes.py."""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from apps.chassis.database import Database
from apps.chassis.pacing import Pace
from apps.notifications import settling, store
from apps.notifications.domain import Category, Outcome
from apps.notifications.holding_back import held_back
from apps.notifications.intake import Intake
from apps.notifications.messages import Message
from apps.notifications.queues import Queues
from apps.notifications.sources import Channel

_CLAIMED_AT_ONCE = 200
_RENEWALS_PER_LEASE = 3
# Claims that follow closely are gathered this long: a statement for three mails costs hardly more than one for one.
_CLAIMS_GATHER_S = 0.02
# A campaign never fills a process: orders that come meanwhile find room, and overtake.
_SHARE_OF_MARKETING = 4


class PostRoom:
    """One process' share of the messages."""

    def __init__(self, database: Database, intake: Intake, *, holder: str, lease: timedelta, capacity: int) -> None:
        self._database = database
        self._intake = intake
        self._holder = holder
        self._lease = lease
        self._capacity = capacity
        self._leased_until: dict[UUID, float] = {}
        self._marketing: set[UUID] = set()
        self._in_hand: set[UUID] = set()
        self._queues = Queues()
        self.strangers: asyncio.Queue[Message] = asyncio.Queue()
        """Messages whose contact is not known here."""
        self._noted = settling.Noted()
        self._claiming = Pace(_CLAIMS_GATHER_S)
        self._sweeping = asyncio.Lock()
        self._campaign = asyncio.Event()
        self._behind = False
        self._open = False

    @property
    def room(self) -> int:
        """How many more messages may be claimed; none before `take_over`, which would give them away again."""
        return max(0, self._capacity - len(self._leased_until)) if self._open else 0

    @property
    def room_for_marketing(self) -> int:
        """How many more of those that nobody waits for."""
        return min(self.room, max(1, self._capacity // _SHARE_OF_MARKETING) - len(self._marketing))

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
            await self._sweep_urgent()
        if self._intake.marketing:
            self._campaign.set()

    async def claim_marketing(self) -> None:
        """Wait until a campaign has more, and claim what its share of the room holds; no other claim waits for that."""
        await self._campaign.wait()
        self._campaign.clear()
        while await self._sweep_marketing():
            pass

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
        await self._sweep_urgent()
        await self._sweep_marketing()

    async def _sweep_urgent(self) -> None:
        limit = self.room
        self._behind = (await self._claim_due(limit) if limit else 0) == limit

    async def _sweep_marketing(self) -> bool:
        """Tell whether there may be more."""
        async with self._sweeping:  # two at once would take the same room twice
            room = self.room_for_marketing
            if room * 2 * _SHARE_OF_MARKETING < self._capacity:
                return False
            limit = min(room, _CLAIMED_AT_ONCE)
            self._intake.marketing = await self._claim_due(limit, marketing=True) == limit
            return self._intake.marketing

    async def _claim_due(self, limit: int, *, marketing: bool = False) -> int:
        leased_until = self._lease_end()
        async with self._database.statement() as tx:
            messages = await store.claim_due(tx, limit, self._holder, self._lease, marketing=marketing)
        self._admit(messages, leased_until)
        return len(messages)

    async def begin(self) -> None:
        """Wait until lanes want more, and note in one statement which messages are about to be handed over."""
        await self._queues.wanted.wait()
        chosen = self._queues.choose()
        if not chosen:
            return
        try:
            async with self._database.statement() as tx:
                ours = await store.start(tx, [message.id for message in chosen], self._holder)
        except BaseException:
            for message in chosen:
                self._queues.wait(message)
            raise
        for message in chosen:
            if message.id in ours:
                self._queues.begin(message)
            else:
                self._let_go(message.id)

    async def next(self, channel: Channel, most: int = 1) -> list[Message]:
        """Return the most urgent message of a channel that is still ours to send, with *most* in all that may share."""
        while True:
            taken = [await self._queues.next(channel)]
            while len(taken) < most and taken[0].may_share and (another := self._queues.another(channel)):
                taken.append(another)
            ours = [message for message in taken if self._leased_until.get(message.id, 0.0) > time.monotonic()]
            # somebody else has the others by now
            for id_ in {message.id for message in taken}.difference(message.id for message in ours):
                self._let_go(id_)
            if ours:
                self._in_hand.update(message.id for message in ours)
                return ours

    def put_back(self, message: Message) -> None:
        """Put a message that `next` gave back in line: nothing of it was sent."""
        self._in_hand.discard(message.id)
        self._queues.begin(message)

    def ready(self, message: Message) -> None:
        """Put a message in line, unless something keeps it from being sent now."""
        outcome = held_back(message, datetime.now(UTC), random.random())  # noqa: S311  # jitter
        if outcome:
            self.note(outcome)
        else:
            self._queues.wait(message)

    async def settle(self, outcome: Outcome) -> None:
        """Note what became of a message and return once that is written; who is cancelled meanwhile loses nothing."""
        written = self.note(outcome)
        self.press()
        await written

    def note(self, outcome: Outcome) -> asyncio.Future[None]:
        """Note what became of a message; the future tells when that is written."""
        return self._noted.add(outcome)

    def press(self) -> None:
        """Have outcomes written now: somebody waits for it."""
        self._noted.press()

    async def write_outcomes(self) -> None:
        """Wait for outcomes and write all there are in one statement."""
        await self._noted.gather()
        await self.flush()

    async def flush(self) -> None:
        """Write the outcomes noted so far, and promise to tell of them; they stay noted where that fails."""
        outcomes = self._noted.outcomes()
        if outcomes:
            async with self._database.transaction() as tx:
                await settling.write(tx, outcomes, self._holder)
        for outcome in outcomes:
            self._let_go(outcome.message_id)
        self._noted.written(len(outcomes))
        if self._has_room() and (self._behind or len(self._intake) or self._intake.marketing):
            self._intake.called.set()

    async def renew(self) -> None:
        """Prolong the leases after a while, so that a slow provider does not have its messages sent twice."""
        await asyncio.sleep(self._lease.total_seconds() / _RENEWALS_PER_LEASE)
        # what has an outcome is being written: renewing it as well could deadlock with that
        ids = self._leased_until.keys() - {outcome.message_id for outcome in self._noted.outcomes()}
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
            await store.release(tx, self._holder, list(self._leased_until.keys() - self._in_hand))

    def _has_room(self) -> bool:
        """Tell whether claiming is worth its statement: a few at a time would cost one each."""
        return self.room * 2 >= self._capacity

    def _lease_end(self) -> float:
        return time.monotonic() + self._lease.total_seconds()

    def _let_go(self, id_: UUID) -> None:
        self._leased_until.pop(id_, None)
        self._marketing.discard(id_)
        self._in_hand.discard(id_)

    def _admit(self, messages: Sequence[Message], leased_until: float) -> None:
        for message in messages:
            known = message.id in self._leased_until
            self._leased_until[message.id] = leased_until
            if known:
                continue
            if message.category is Category.MARKETING:
                self._marketing.add(message.id)
            if message.is_stranger:
                self.strangers.put_nowait(message)
            else:
                self.ready(message)
