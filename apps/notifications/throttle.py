import asyncio
import time


class Throttle:
    """Lets so many a second pass, all lanes of a channel together; a rate of 0 is no limit."""

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second if per_second else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for a place; places are handed out in the order they are asked for."""
        if not self._interval_s:
            return
        now = time.monotonic()
        self._next = max(self._next, now) + self._interval_s
        wait = self._next - self._interval_s - now
        if wait > 0:
            await asyncio.sleep(wait)
