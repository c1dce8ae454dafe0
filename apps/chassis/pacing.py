import asyncio
import time
from collections.abc import Callable
from typing import Final

_STRETCH: Final = 3.0
_SHARE: Final = 0.1


class Pace:
    """Keeps the rounds of a loop apart, so that each holds more under load; after a rest the first goes at once.

    A round costs almost the same for one row as for ten: statements, commits and calls, here and in the sidecar. Who
    is *behind* by seconds waits a tenth of that, at most three times as long: nobody notices, and it helps to catch up.
    """

    def __init__(self, interval_s: float, behind: Callable[[], float] | None = None) -> None:
        self._interval_s = interval_s
        self._behind = behind
        self._last = float("-inf")

    async def turn(self) -> None:
        """Wait until the interval since the last round has passed, and begin the next."""
        wait = self._last + self._interval() - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        self._last = time.monotonic()

    def _interval(self) -> float:
        late_s = self._behind() if self._behind else 0.0
        return min(max(self._interval_s, _SHARE * late_s), _STRETCH * self._interval_s)
