"""How far behind this process is: the age that facts had when it handled them."""

import time
from collections.abc import Iterable
from typing import Final

WINDOW_S: Final = 15.0
"""How long a late fact is remembered, at least; twice that at most."""


class Lag:
    """Remembers the oldest fact handled of late; an id tells its age, since it is a UUIDv7."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._present = self._before = 0.0

    def note(self, ids: Iterable[str]) -> None:
        """Note facts that are handled now, the first time; ids that carry no time are passed over."""
        self._turn()
        # UUIDv7 sorts by time
        oldest = min((id_ for id_ in ids if id_[14:15] == "7"), default=None)
        if oldest is not None and (born := _born(oldest)) is not None:
            self._present = max(self._present, time.time() - born)

    def seconds(self) -> float:
        """Return the greatest age of late, 0 where nothing was handled."""
        self._turn()
        return max(self._present, self._before)

    def _turn(self) -> None:
        passed = time.monotonic() - self._began
        if passed > WINDOW_S:
            self._before = self._present if passed < 2 * WINDOW_S else 0.0
            self._present, self._began = 0.0, time.monotonic()


def _born(id_: str) -> float | None:
    try:
        return int(id_[:8] + id_[9:13], 16) / 1000
    except ValueError:
        return None


lag = Lag()
"""The one of this process."""
