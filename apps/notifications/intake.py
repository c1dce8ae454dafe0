import asyncio
from collections import deque
from collections.abc import Iterable
from uuid import UUID

_MOST = 10_000


class Intake:
    """What the queue has brought and nobody has claimed yet.

    Held in memory only: the queue has its answer at once, however slow a provider is, and what is lost here when the
    process dies, or does not fit, is due in the database shortly.
    """

    def __init__(self) -> None:
        self._ids: deque[UUID] = deque()
        self.called = asyncio.Event()
        self.marketing = False
        """Whether a campaign has more than it was heard of: one word stands for many of its messages."""

    def bring(self, ids: Iterable[UUID], *, marketing: bool = False) -> None:
        """Hand over messages that are to be sent now."""
        self._ids.extend(ids)
        self.marketing = self.marketing or marketing
        while len(self._ids) > _MOST:
            self._ids.popleft()
        self.called.set()

    def take(self, limit: int) -> list[UUID]:
        """Remove and return at most *limit*, oldest first."""
        return [self._ids.popleft() for _ in range(min(limit, len(self._ids)))]

    def __len__(self) -> int:
        return len(self._ids)
