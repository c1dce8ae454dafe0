"""`python -m tests.bench`: this machine's limits, and the system against them, in one run."""

import sys
import time
from contextlib import ExitStack, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psutil
from rich.console import Console

from stack import records
from stack.home import current_home
from tests.bench import goals, machine, parts, report
from tests.bench.figures import Json
from tests.bench.settings import Settings, parse
from tests.support.system import System


def main(arguments: list[str]) -> None:
    """Measure, print tables, and write the file for machines."""
    settings = parse(arguments)
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {what} ...", file=sys.stderr, flush=True)

    with ExitStack() as cleanup:
        # a failed System prints its logs' ends: those are for people who look, not part of the tables
        cleanup.enter_context(redirect_stdout(sys.stderr))
        system, ready_s = _system(settings, cleanup, say)
        results: Json = {"machine": machine.facts(), "settings": vars(settings) | {"out": str(settings.out)}}
        results["ready_s"] = ready_s
        results |= parts.measure(system, settings, began + settings.overhead_seconds + settings.seconds, say)
    results["load_average"] = [round(value, 2) for value in psutil.getloadavg()]
    results["took_s"] = round(time.monotonic() - began, 1)
    report.show(results, Console(width=120, highlight=False))
    print(f"took {results['took_s']} s; all figures: {_write(results, settings.out)}")
    if lost := goals.lost(results):
        sys.exit(f"{lost} orders were accepted and then not charged once, paid and mailed: see the figures")


def _system(settings: Settings, cleanup: ExitStack, say: parts.Say) -> tuple[System, float | None]:
    """Return the system that runs, or one that is started here, with how long that took to be ready."""
    system, home = System(), current_home()
    if not settings.own and records.running(home) is not None:
        say(f"the system that runs in {home.root} is measured (--own starts another)")
        system.root, system.offset = home.root, home.offset
        return system, None
    say("starting a system of the bench's own")
    began = time.monotonic()
    cleanup.enter_context(system)
    return system, round(time.monotonic() - began, 1)


def _write(results: object, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
