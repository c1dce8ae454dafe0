"""The handful of points where a crash matters, so that tests can stand exactly there.

Off, a seam is a call of an empty function. With `SIDECART_SEAMS=DIR` each seam passed is appended to `DIR/passed`, and
a process that reaches the seam named in `DIR/kill` notes it in `DIR/landed` and kills itself, once.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

_Hit = Callable[[str], None]


def _nothing(_seam: str) -> None:
    """Do nothing, cheaply."""


_hit: _Hit = _nothing


def before(point: str) -> None:
    """Mark that *point* is about to happen."""
    _hit(f"{point}.before")


def after(point: str) -> None:
    """Mark that *point* has happened."""
    _hit(f"{point}.after")


def arm(service: str, directory: Path) -> None:
    """Record the seams *service* passes, and die at the one that `DIR/kill` names as `service:point.side`."""
    global _hit  # noqa: PLW0603  # the one switch of this module
    directory.mkdir(parents=True, exist_ok=True)

    def record(seam: str) -> None:
        name = f"{service}:{seam}"
        with (directory / "passed").open("a") as passed:
            passed.write(name + "\n")
        if _take_order(directory, name):
            os.kill(os.getpid(), signal.SIGKILL)

    _hit = record


def disarm() -> None:
    """Make every seam cost nothing again."""
    global _hit  # noqa: PLW0603
    _hit = _nothing


def _take_order(directory: Path, name: str) -> bool:
    order = directory / "kill"
    try:
        if order.read_text().strip() != name:
            return False
        order.rename(directory / "landed")  # only one process wins the rename, so a kill lands once
    except FileNotFoundError:
        return False
    return True
