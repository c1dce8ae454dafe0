import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid4

from apps.chassis import seams, telemetry
from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.chassis.telemetry import log
from apps.contracts.base import Money
from apps.payments import wakeup, working
from apps.payments.bound import Bound
from apps.payments.gauges import CALLS
from apps.payments.presence import Presence
from apps.payments.provider import Busy, ChargeOutcome, Lost, Provider, RefundOutcome
from apps.payments.steps import Finish, GiveBack, Price, Step, Take
from apps.payments.working import Work

_MAX_PAUSE_S = 5.0
_FAREWELL_S = 3.0
# Rounds cost about 2 ms whatever they hold. Each waits the longer the more the one before it held: what comes singly is
# done at once, and from about 50 payments a second on they gather, as the facts do that bring them.
_PACE_S = 0.01
_LONGEST_PACE_S = 0.1
_LEFT_ALONE_S = 0.25


class Worker:
    """Does what payments need: takes what is due, calls outside any transaction, records what came of it.

    One transaction a round records every call that has finished and takes as many payments as that made room for, so
    the batches grow with the load, and a call that hangs holds one place and nobody else up.
    """

    def __init__(
        self,
        database: Database,
        providers: Mapping[str, Provider],
        amount_of: Callable[[UUID], Awaitable[Money]],
        *,
        concurrency: int,
        call_timeout: timedelta,
        lease: timedelta,
        poll: timedelta,
    ) -> None:
        self._database = database
        self._providers = providers
        self._amount_of = amount_of
        self._concurrency = concurrency
        self._bounds = {name: Bound(concurrency) for name in providers}
        self._call_timeout_s = call_timeout.total_seconds()
        self._lease = lease
        self._poll_s = poll.total_seconds()
        self._holder: UUID = uuid4()
        self._presence = Presence(database, self._holder)
        self._woken = asyncio.Event()
        self._crowded = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._finished: list[Work] = []
        self._more = True
        self._next = 0.0

    async def run(self) -> None:
        """Work until cancelled; a database that is away is waited for."""
        pause = self._poll_s
        wakeup.register(self._woken.set)
        try:
            while True:
                try:
                    await self._presence.show()
                    await self.round()
                    pause = self._poll_s
                except Exception as error:  # noqa: BLE001  # what was not recorded is recorded next time
                    log.warning("worker_interrupted", error=type(error).__name__)
                    pause = min(pause * 2, _MAX_PAUSE_S)
                    await self._presence.leave()
                    await asyncio.sleep(pause)
                await self._wait()
        finally:
            wakeup.unregister(self._woken.set)
            try:
                await self._end()
            finally:
                await self._presence.leave()

    async def _end(self) -> None:
        """Give calls under way a moment: what is not recorded now waits for its lease to run out."""
        if self._calls:
            _, hanging = await asyncio.wait(self._calls, timeout=_FAREWELL_S)
            for call in hanging:
                call.cancel()
        if self._finished:
            async with self._database.transaction() as tx:
                await working.settle(tx, self._finished)

    async def round(self) -> None:
        """Record what has finished, take what there is room for, and begin it."""
        self._woken.clear()
        self._crowded.clear()
        began = time.monotonic()
        finished, room = list(self._finished), self._room()
        if not (finished or room):
            return
        async with self._database.transaction() as tx:
            if finished:
                await working.settle(tx, finished)
            taken = await working.take(tx, self._holder, room, self._lease) if room else []
        del self._finished[: len(finished)]
        if room:
            self._more = len(taken) == room
        self._next = began + min(_PACE_S * (len(finished) + len(taken)), _LONGEST_PACE_S)
        for work in taken:
            call = asyncio.create_task(self._do(work))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _wait(self) -> None:
        """Sleep until a call finishes, something new is recorded here, or the poll is due; under load gather more."""
        if not (self._finished or (self._more and self._room())):
            closed = [left for each in self._bounds.values() if (left := each.closed_for()) > 0]
            await _until(self._woken, min(self._poll_s, *closed) if closed else self._poll_s)
        if (early := self._next - time.monotonic()) > 0:
            await _until(self._crowded, early)

    async def _do(self, work: Work) -> None:
        with telemetry.resumed(work.taken.payment.trace, "do what a payment needs"):
            work.trace = telemetry.kept(telemetry.traceparent())
            for step in work.steps:
                seams.before("provider-call")
                outcome = await self._perform(step)
                seams.after("provider-call")
                work.done.append((step, outcome))
        self._finished.append(work)
        self._woken.set()
        if len(self._finished) * 2 >= min(self._concurrency, sum(each.allowed for each in self._bounds.values())):
            self._crowded.set()

    async def _perform(self, step: Step) -> ChargeOutcome | RefundOutcome | Money:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                if isinstance(step, Price):
                    return await self._amount_of(step.order_id)
                return await self._call(step)
        except TimeoutError:
            return Busy("timeout") if isinstance(step, Price) else Lost("timeout")
        except SidecarError as error:
            return Busy(str(error))
        except Exception as error:  # noqa: BLE001  # whatever it was, the processor may have acted
            log.error("provider_failed", error=type(error).__name__)
            return Lost(type(error).__name__)

    def _room(self) -> int:
        """Return how many payments to take: whose processor is to be left alone shows only once they are read."""
        return min(self._concurrency - len(self._calls), sum(each.room() for each in self._bounds.values()))

    async def _call(self, step: Take | Finish | GiveBack) -> ChargeOutcome | RefundOutcome:
        name = _provider_of(step)
        bound = self._bounds[name]
        if not bound.room():
            return Busy("left alone", timedelta(seconds=max(bound.closed_for(), _LEFT_ALONE_S)))
        with bound.one():
            outcome = await _ask(self._providers, step)
        CALLS.labels(name, type(outcome).__name__.lower()).inc()
        if isinstance(outcome, Busy):
            bound.refused(outcome.after.total_seconds() if outcome.after else None)
        elif not isinstance(outcome, Lost):
            bound.answered()
        return outcome


def _provider_of(step: Take | Finish | GiveBack) -> str:
    return step.refund.provider if isinstance(step, GiveBack) else step.charge.provider


async def _ask(providers: Mapping[str, Provider], step: Take | Finish | GiveBack) -> ChargeOutcome | RefundOutcome:
    """Put a step to the processor that its attempt was made with."""
    provider = providers[_provider_of(step)]
    if isinstance(step, GiveBack):
        return await (provider.find_refund if step.ask else provider.refund)(step.refund)
    if isinstance(step, Take):
        return await (provider.find if step.ask else provider.charge)(step.charge)
    if step.amount is None:
        return await provider.void(step.charge)
    return await provider.capture(step.charge, step.amount)


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Wait for *event*, but no longer than *seconds*."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
