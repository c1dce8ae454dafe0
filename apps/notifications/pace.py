import asyncio
import time


class Pace:
    """Lets whoever comes alone pass at once, and holds back those who follow closely, so that they go together."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._free_at = 0.0

    async def turn(self) -> None:
        """Return when the last turn is long enough ago."""
        if (wait_s := self._free_at - time.monotonic()) > 0:
            await asyncio.sleep(wait_s)
        self._free_at = time.monotonic() + self._every_s
