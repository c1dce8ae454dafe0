import asyncio
import time
from collections.abc import Callable
from typing import Final

_STRETCH: Final = 3.0
_SHARE: Final = 0.1
_SAVED: Final = 2


class Pace:
    """Keeps the rounds of a loop apart, so that each holds more under load; after a rest the first go at once.

    A round costs almost the same for one row as for ten: statements, commits and calls, here and in the sidecar. A loop
    that rested has saved up a few rounds, since an order that comes alone causes several and is not to wait at each.
    Who is *behind* by seconds waits a tenth of that, at most three times as long: nobody notices, and it helps to
    catch up.
    """

    def __init__(self, interval_s: float, behind: Callable[[], float] | None = None) -> None:
        self._interval_s = interval_s
        self._behind = behind
        self._due = float("-inf")
        """When the next round would begin if every one before had kept its distance."""

    async def turn(self) -> None:
        """Wait until it is time for a round, and begin it."""
        interval = self._interval()
        wait = self._due - _SAVED * interval - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        self._due = max(self._due, time.monotonic()) + interval

    def _interval(self) -> float:
        late_s = self._behind() if self._behind else 0.0
        return min(max(self._interval_s, _SHARE * late_s), _STRETCH * self._interval_s)
