import asyncio
import time

_SHARE_S = 0.1


class Throttle:
    """Lets so many a second pass, all lanes of a channel together; a rate of 0 is no limit."""

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second if per_second else 0.0
        self._next = 0.0

    def share(self, wanted: int) -> int:
        """Return how many of *wanted* may pass at once, so that nobody waits long behind them."""
        return wanted if not self._interval_s else min(wanted, max(1, int(_SHARE_S / self._interval_s)))

    async def turn(self, count: int = 1) -> None:
        """Wait for so many places; places are handed out in the order they are asked for."""
        if not self._interval_s:
            return
        now = time.monotonic()
        begins = max(self._next, now) + (count - 1) * self._interval_s
        self._next = begins + self._interval_s
        wait = begins - now
        if wait > 0:
            await asyncio.sleep(wait)
