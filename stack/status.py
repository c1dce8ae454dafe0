"""What runs now: pid, readiness, ports, restarts and uptime of each process."""

from pydantic import BaseModel

from stack import profiles, records
from stack.check import running
from stack.home import Home
from stack.program import Kind, load_all
from stack.readiness import ready_names


class Process(BaseModel):
    """One process; `pid` is null while it is down."""

    name: str
    kind: Kind
    pid: int | None
    ready: bool
    ports: dict[str, int]
    restarts: int
    uptime_s: float


class Warned(BaseModel):
    """Something in a file that sidecars read and that they cannot follow."""

    file: str
    line: int
    what: str
    remedy: str


class Status(BaseModel):
    """The answer of `sidecart status --json`."""

    profile: str
    processes: list[Process]
    warnings: list[Warned]


def read(home: Home) -> Status:
    """Ask every process of the system that is up, and look through what its sidecars read."""
    return Status(profile=profiles.name(home), processes=processes(home), warnings=warnings(home))


def warnings(home: Home) -> list[Warned]:
    """Return what is wrong with the files now: a sidecar leaves a broken one out and says so in its log alone."""
    return [
        Warned(file=str(each.path), line=each.line, what=each.what, remedy=each.remedy)
        for each in running.findings(home)
    ]


def processes(home: Home) -> list[Process]:
    """Ask every process of the system that is up."""
    programs = load_all(home)
    ready = ready_names(home, programs)
    found: list[Process] = []
    for program in programs:
        starts = records.starts(home, program.name)
        alive = starts is not None and starts.alive
        found.append(
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
    return found
