"""What became of messages, written down, with all that follows from it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from apps.notifications import digests, facts, store, suppressions
from apps.notifications.domain import Outcome

# Outcomes that follow closely are gathered this long: a statement for three costs hardly more than one for one, and
# nobody waits for it but a lane that is far ahead of what is written.
_GATHER_S: Final = 0.1


async def write(tx: AsyncSession, outcomes: Sequence[Outcome], holder: str) -> None:
    """Write down what became of messages, and promise to tell of them."""
    rows = await store.settle(tx, outcomes, holder)
    facts.record(tx, rows)
    await digests.hold(tx, outcomes)
    channels = {row.id: row.channel for row in rows}
    bounced = {o.bounced: channels[o.message_id] for o in outcomes if o.bounced and o.message_id in channels}
    if bounced:
        await suppressions.bounced(tx, bounced)


class Noted:
    """Outcomes that are still to be written, and whoever waits for that."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Outcome, asyncio.Future[None]]] = []
        self._some = asyncio.Event()
        self._pressed = asyncio.Event()

    def add(self, outcome: Outcome) -> asyncio.Future[None]:
        """Note one; the future tells when it is written."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, written))
        self._some.set()
        return written

    def press(self) -> None:
        """Have them written now: somebody waits for it."""
        self._pressed.set()

    async def gather(self) -> None:
        """Wait until there are some, and then a moment for more."""
        await self._some.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_S):
                await self._pressed.wait()
        self._pressed.clear()

    def outcomes(self) -> list[Outcome]:
        """Return them, oldest first."""
        return [outcome for outcome, _ in self._waiting]

    def written(self, count: int) -> None:
        """Forget the first *count*, and tell whoever waits for them."""
        done, self._waiting = self._waiting[:count], self._waiting[count:]
        for _, written in done:
            if not written.done():
                written.set_result(None)
        if not self._waiting:
            self._some.clear()
