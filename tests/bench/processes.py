"""What each process of the system burns and holds."""

import time
from pathlib import Path
from typing import NamedTuple

import psutil

from stack import records
from stack.home import Home
from stack.program import load_all

KEEPER = "supervision"


class Reading(NamedTuple):
    """CPU seconds since each process began, by name; and of the whole machine, at a moment of the monotonic clock."""

    at: float
    cpu_s: dict[str, float]
    machine_s: float


class Processes:
    """The running system's processes with their children, by the names that `sidecart status` shows."""

    def __init__(self, home: Home) -> None:
        self._roots: dict[str, psutil.Process] = {}
        for program in load_all(home):
            started = records.starts(home, program.name)
            if started and started.alive:
                self._roots[program.name] = psutil.Process(started.pid)
        keeper = records.running(home)
        assert keeper, f"no system runs under {home.root}"
        self._keeper = psutil.Process(keeper.pid)

    def _members(self) -> dict[str, list[psutil.Process]]:
        members = {name: [root, *root.children(recursive=True)] for name, root in self._roots.items()}
        known = {process.pid for group in members.values() for process in group}
        everyone = [self._keeper, *self._keeper.children(recursive=True)]
        members[KEEPER] = [process for process in everyone if process.pid not in known]
        return members

    def read(self) -> Reading:
        """Read the clocks; what a child used that has ended is in its parent's account."""
        cpu: dict[str, float] = {}
        for name, group in self._members().items():
            ended = name != KEEPER  # the keeper's ended children are programs, which have lines of their own
            cpu[name] = sum(_cpu_s(process, ended=ended) for process in group)
        machine = psutil.cpu_times()
        return Reading(time.monotonic(), cpu, sum(machine) - machine.idle - machine.iowait - machine.guest)

    def pss_bytes(self) -> dict[str, int]:
        """Return the proportional set size of each, which counts shared pages once in the sum."""
        return {name: sum(_pss(process.pid) for process in group) for name, group in self._members().items()}


def _cpu_s(process: psutil.Process, *, ended: bool) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    own: float = times.user + times.system
    return own + times.children_user + times.children_system if ended else own


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
