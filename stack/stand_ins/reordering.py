import time
from dataclasses import dataclass
from typing import Final

from stack.stand_ins.faults import Faults

# Long enough for several events to gather, short enough for a test to wait for
_WINDOW_S: Final = 0.3


@dataclass
class Reordering:
    """Says when a webhook is due; where told to reorder, those of one window share a time, to be sent newest first."""

    _window_ends: float = 0

    def due(self, hit: Faults) -> float:
        """Return the time, in seconds since the epoch, at which what happens now is to be sent."""
        at = time.time()
        if not hit.reorder_webhooks:
            return at
        if self._window_ends < at:
            self._window_ends = at + _WINDOW_S
        return self._window_ends
