"""Callers that arrive together are served together: a transaction for ten costs little more than one for one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from apps.chassis.database import is_outage
from apps.chassis.lag import lag
from apps.chassis.pacing import Pace
from apps.chassis.problems import ProblemError
from apps.chassis.sidecar import SidecarError

T = TypeVar("T")
R = TypeVar("R")

Handle = Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]]


class Group(Generic[T, R]):
    """Gives all who wait to *handle* at once, one group after another, at least *pace_s* apart; one alone goes at once.

    *handle* answers each item, in order, with its result or with its own error. When it raises, nothing was done:
    an outage is everybody's, and anything else is found out one by one.
    """

    def __init__(self, handle: Handle[T, R], *, most: int = 64, waiting: int = 1_000, pace_s: float = 0.0) -> None:
        self._handle = handle
        self._pace = Pace(pace_s, lag.seconds)
        self._most = most
        self._limit = waiting
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Return what *handle* makes of *item*; 503 at once where too many wait already."""
        if len(self._waiting) >= self._limit:
            raise ProblemError(503, "overloaded", "Too much is asked at once; try again shortly.", {"Retry-After": "1"})
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            await self._pace.turn()
            taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            # whoever hung up before the turn came wants nothing any more
            group = [(item, future) for item, future in taken if not future.done()]
            if group:
                await self._serve(group)

    async def _serve(self, group: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._handle([item for item, _ in group])
        except Exception as error:  # noqa: BLE001  # it belongs to those who wait
            if len(group) > 1 and not (is_outage(error) or isinstance(error, SidecarError)):
                for alone in group:
                    await self._serve([alone])
                return
            results = [error] * len(group)
        for (_, future), result in zip(group, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
