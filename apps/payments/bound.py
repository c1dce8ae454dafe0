import time
from collections.abc import Generator
from contextlib import contextmanager

_SHORTEST_S = 0.5


class Bound:
    """How many calls one processor is sent at once: half as many once it says that they are too many, then more again.

    Until the time that it named has passed, none is begun: what waits is in the database, where waiting costs nothing.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = float(most)
        self._closed_until = float("-inf")
        self._under_way = 0

    @property
    def allowed(self) -> int:
        """Return how many at once."""
        return int(self._allowed)

    def room(self) -> int:
        """Return how many more may begin now."""
        return 0 if self.closed_for() > 0 else max(0, self.allowed - self._under_way)

    def closed_for(self) -> float:
        """Return the seconds until the next may begin."""
        return self._closed_until - time.monotonic()

    @contextmanager
    def one(self) -> Generator[None]:
        """Count a call as under way."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def refused(self, wait_s: float | None) -> None:
        """Take in that a call was one too many; those that were under way beside it say nothing new."""
        if self.closed_for() <= 0:
            self._allowed = max(1.0, self._allowed / 2)
            self._closed_until = time.monotonic() + max(wait_s or 0.0, _SHORTEST_S)

    def answered(self) -> None:
        """Take in that a call was not: after as many as are allowed at once, one more is."""
        self._allowed = min(self._most, self._allowed + 1 / self._allowed)
