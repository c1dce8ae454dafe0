"""What runs now: pid, readiness, ports, restarts and uptime of each process."""

from pydantic import BaseModel

from stack import records
from stack.home import Home
from stack.program import Kind, load_all
from stack.readiness import ready_names

PROFILE = "embedded"


class Process(BaseModel):
    """One process; `pid` is null while it is down."""

    name: str
    kind: Kind
    pid: int | None
    ready: bool
    ports: dict[str, int]
    restarts: int
    uptime_s: float


class Status(BaseModel):
    """The answer of `sidecart status --json`."""

    profile: str
    processes: list[Process]


def read(home: Home) -> Status:
    """Ask every process of the system that is up."""
    programs = load_all(home)
    ready = ready_names(home, programs)
    processes: list[Process] = []
    for program in programs:
        starts = records.starts(home, program.name)
        alive = starts is not None and starts.alive
        processes.append(
            Process(
                name=program.name,
                kind=program.kind,
                pid=starts.pid if starts and alive else None,
                ready=alive and program.name in ready,
                ports=program.ports,
                restarts=max(0, starts.count - 1) if starts else 0,
                uptime_s=round(starts.uptime_s, 1) if starts and alive else 0.0,
            )
        )
    return Status(profile=PROFILE, processes=processes)
