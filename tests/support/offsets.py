"""Where systems of tests lie beside one another: no port of one is another's, nor may become it.

Systems start, scale and take in guests while others run. Each looks for what is free, and what another is about to take
looks free as well.
"""

import fcntl
import random
import re
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import IO

from stack import plan, topology
from stack.home import Home
from stack.services import REPLICA_STEP

# With the highest fixed port these stay below 32768, from where the kernel hands out ports of its own.
OFFSETS = range(10000, 16001, 7)
REPLICAS, GUESTS = 4, 4
SHARED = Path(tempfile.gettempdir())


def take(possible: Callable[[int], bool], folder: Path = SHARED) -> tuple[int, IO[str]]:
    """Return an offset that is nobody's and is *possible*, and what holds it until it is closed."""
    with (folder / "sidecart-offsets.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # two that choose at once would not see each other
        others = [offset for offset in _known(folder) if _is_held(folder, offset)]
        # where very many run some have to overlap: those that do least
        wanted = sorted(random.sample(OFFSETS, len(OFFSETS)), key=lambda offset: overlaps(offset, others))
        for offset in wanted:
            if held := _held(folder, offset):
                if possible(offset):
                    return offset, held
                held.close()
    raise AssertionError("no port offset is free: too many systems run on this machine")


def overlaps(offset: int, others: Iterable[int]) -> int:
    """Count the *others* that may come to need a port of the system at *offset*."""
    return sum(offset - other in _differences() for other in others)


@cache
def footprint() -> frozenset[int]:
    """Every port that a system may come to need, offset left out: of replicas and of guests as well."""
    shop = topology.load(topology.DEFAULT_FILE)
    fixed = {*plan.ports(Home(root=Path(), offset=0), shop).values()}
    rows = [
        {app.dapr_http_port for app in shop.apps},
        {app.dapr_grpc_port for app in shop.apps},
        {app.dapr_internal_grpc_port for app in shop.apps},
        {app.metrics_port for app in shop.apps},
        {app.app_port for app in shop.apps if app.app_port},
    ]
    # guests go on where the row of their kind ends
    whole = {port for row in rows for port in range(min(row), max(row) + 1 + GUESTS)}
    return frozenset(fixed | {port + REPLICA_STEP * number for port in whole for number in range(REPLICAS)})


@cache
def _differences() -> frozenset[int]:
    return frozenset(one - other for one in footprint() for other in footprint())


def _known(folder: Path) -> list[int]:
    names = (re.fullmatch(r"sidecart-offset-(\d+)\.lock", path.name) for path in folder.iterdir())
    return [int(name[1]) for name in names if name]


def _is_held(folder: Path, offset: int) -> bool:
    if held := _held(folder, offset):
        held.close()
    return held is None


def _held(folder: Path, offset: int) -> IO[str] | None:
    """Hold *offset*, or return None where somebody does; a process that dies holds nothing."""
    file = (folder / f"sidecart-offset-{offset}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file
