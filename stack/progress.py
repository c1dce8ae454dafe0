"""Lines for the person who waits, each with the seconds since the start; never silent for long."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

HEARTBEAT_S = 10.0


class Progress:
    """Prints what happens, from any thread."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last = self._began
        self._lock = threading.Lock()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def say(self, line: str) -> None:
        """Print one line with the elapsed seconds before it."""
        with self._lock:
            self._last = time.monotonic()
            print(f"[{self.elapsed_s:6.1f} s] {line}", flush=True)

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Announce *name*, and say again that it goes on whenever nothing was printed for a while."""
        self.say(name)
        over = threading.Event()

        def beat() -> None:
            while not over.wait(1.0):
                if time.monotonic() - self._last >= HEARTBEAT_S:
                    self.say(f"{name}: still at it")

        beater = threading.Thread(target=beat, daemon=True)
        beater.start()
        try:
            yield
        finally:
            over.set()
            beater.join()
