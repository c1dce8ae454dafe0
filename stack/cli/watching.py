from itertools import cycle
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from stack import logs as log_files
from stack import records
from stack import status as state
from stack.cli import tables
from stack.errors import StackError
from stack.home import Home, current_home
from stack.program import load_all
from stack.records import Running

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "red")


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False) -> None:
    """Show each process: pid, readiness, ports, restarts, uptime."""
    home = current_home()
    require_running(home)
    found = state.read(home)
    if as_json:
        print(found.model_dump_json())
        return
    table = tables.table("name", "kind", "pid", "ready", "ports", "restarts", "uptime")
    for process in found.processes:
        ports = " ".join(f"{use}:{port}" for use, port in process.ports.items())
        ready = Text("yes", style="green") if process.ready else Text("no", style="red")
        pid = str(process.pid) if process.pid else "-"
        uptime = f"{process.uptime_s:.0f} s"
        table.add_row(process.name, process.kind, pid, ready, ports, str(process.restarts), uptime)
    tables.show(table)
    for each in found.warnings:
        print(f"warning: {each.file}:{each.line}: {each.what}; {each.remedy}")


def require_running(home: Home) -> Running:
    """Return the record of the system that is up, or say that none is."""
    record = records.running(home)
    if record is None:
        raise StackError(f"nothing runs in {home.root}: `sidecart up` starts it")
    return record


def logs(
    name: Annotated[str | None, typer.Argument(help="One process; all when left out.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines of each log to begin with.")] = 20,
) -> None:
    """Show what processes print."""
    home = current_home()
    paths = {path.stem: path for path in sorted(home.logs.glob("*.log"))}
    if name is not None and name not in paths:
        known = ", ".join(sorted({program.name for program in load_all(home)} | set(paths))) or "none yet"
        raise StackError(f"there is no log of {name!r}: there are {known}")
    chosen = paths if name is None else {name: paths[name]}
    colours = dict(zip(chosen, cycle(COLOURS), strict=False))
    console = Console(soft_wrap=True, highlight=False, markup=False)

    def show(origin: str, line: str) -> None:
        prefix = Text(f"{origin:<20} ", style=colours[origin]) if name is None else Text()
        console.print(prefix + Text(line))

    for origin, path in chosen.items():
        for line in log_files.tail(path, lines):
            show(origin, line)
    if follow:
        for origin, line in log_files.follow(chosen):
            show(origin, line)
