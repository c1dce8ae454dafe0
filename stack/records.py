"""What was started: the running system's own record, and each process's starts with pid and start time."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import BaseModel, ValidationError

from stack.home import CHECKOUT, Home
from stack.launch import start_ticks


class Running(BaseModel):
    """The process that keeps one system: `sidecart up`, in the foreground or detached."""

    pid: int
    ticks: int
    offset: int
    checkout: str
    topology: str
    ready: bool = False
    replicas: dict[str, int] = {}

    def is_alive(self) -> bool:
        """Tell whether that very process still runs, not one that got its pid later."""
        return _is_same(self.pid, self.ticks)

    def write(self, home: Home) -> None:
        """Store this as run/stack.json, in one step."""
        home.put(home.run / "stack.json", self.model_dump_json())


@dataclass(frozen=True)
class Starts:
    """One process's starts since `up`; `begun` is wall-clock seconds."""

    pid: int
    ticks: int
    begun: float
    count: int

    @property
    def alive(self) -> bool:
        """Whether this start's process still runs."""
        return _is_same(self.pid, self.ticks)

    @property
    def uptime_s(self) -> float:
        """Seconds since the program began."""
        return max(0.0, time.time() - self.begun)


def running(home: Home) -> Running | None:
    """Return the record of the system that is up, or None when none is (a stale record counts as none)."""
    try:
        record = Running.model_validate_json((home.run / "stack.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return record if record.is_alive() else None


def begin(home: Home, topology: Path) -> Running:
    """Forget an earlier run and record this process as the one that keeps the system."""
    for path in [*home.starts.glob("*"), *home.programs.glob("*")]:
        path.unlink()
    (home.run / "stack.pid").write_text(str(os.getpid()))
    record = Running(
        pid=os.getpid(),
        ticks=start_ticks(os.getpid()),
        offset=home.offset,
        checkout=str(CHECKOUT),
        topology=str(topology),
    )
    record.write(home)
    return record


def starts(home: Home, name: str) -> Starts | None:
    """Return the newest start of *name*, or None when it never started."""
    try:
        lines = (home.starts / name).read_text().splitlines()
    except OSError:
        return None
    if not lines:
        return None
    pid, ticks, begun, _ = lines[-1].split()
    return Starts(pid=int(pid), ticks=int(ticks), begun=float(begun), count=len(lines))


def leftovers(home: Home) -> dict[str, psutil.Process]:
    """Return every process recorded under this home that still runs, with its children, by name and pid."""
    found: dict[str, psutil.Process] = {}
    for path in home.starts.glob("*"):
        for line in path.read_text().splitlines():
            pid, ticks = (int(part) for part in line.split()[:2])
            if not _is_same(pid, ticks):
                continue
            process = psutil.Process(pid)
            for each in [process, *process.children(recursive=True)]:
                found[f"{path.name} (pid {each.pid})"] = each
    return found


def _is_same(pid: int, ticks: int) -> bool:
    try:
        return start_ticks(pid) == ticks and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error, ValueError, IndexError):
        return False
