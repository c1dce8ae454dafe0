"""Reading the logs: the lines that explain a failure, and the tail that a person follows."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from stack.home import Home

TAIL_BYTES = 64 * 1024
FOLLOW_S = 0.25
LARGEST = 50 * 1024 * 1024
_GRAVE = ("error", "fatal", "critical", "panic")
_EXCEPTION = re.compile(r"[\w.]*(Error|Exception)\b.*: ")
# True, and no help.
_EMPTY = ("Application startup failed", "Traceback (most recent call last)")


def tail(path: Path, lines: int) -> list[str]:
    """Return the last *lines* of a log, none if it is absent."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]


def reason(home: Home, name: str) -> str:
    """Return the log line that most likely says why *name* failed, shortened for one line."""
    lines = [line for line in tail(home.log(name), 60) if line.strip()]
    if not lines:
        return "it printed nothing"
    telling = [said for line in lines if (said := _telling(line))]
    return (telling[-1] if telling else message(lines[-1]))[:300]


def _telling(line: str) -> str | None:
    """Return what *line* says if it is the report of an error, and more than that there was one."""
    compact = line.lower().replace(" ", "")
    grave = any(f'"level":"{level}"' in compact for level in _GRAVE) or "FATAL:" in line
    if not grave and not _EXCEPTION.match(line):
        return None
    said = message(line)
    return None if any(empty in said for empty in _EMPTY) else said


def message(line: str) -> str:
    """Return what a line of a log says, whether it is JSON or not."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line.strip()
    if not isinstance(entry, dict):
        return line.strip()
    said = [str(entry[key]) for key in ("msg", "event", "message", "error", "exception") if entry.get(key)]
    # The last line of a traceback is the one that says it.
    return ": ".join(text.strip().splitlines()[-1] for text in said if text.strip()) or line.strip()


def follow(paths: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Yield (name, line) as lines are written, for ever; a log that is cut or appears later is picked up."""
    places = {name: path.stat().st_size if path.exists() else 0 for name, path in paths.items()}
    while True:
        quiet = True
        for name, path in paths.items():
            size = path.stat().st_size if path.exists() else 0
            places[name] = min(places[name], size)
            if size == places[name]:
                continue
            with path.open("rb") as file:
                file.seek(places[name])
                chunk = file.read()
            whole = chunk.rpartition(b"\n")[0]
            if not whole:
                continue
            quiet = False
            places[name] += len(whole) + 1
            for line in whole.decode(errors="replace").splitlines():
                yield name, line
        if quiet:
            time.sleep(FOLLOW_S)


def rotate(home: Home) -> None:
    """Keep one older half of each log that grew large; writers append, so cutting it short is safe."""
    for path in home.logs.glob("*.log"):
        if path.stat().st_size > LARGEST:
            path.with_suffix(".log.1").write_bytes(path.read_bytes())
            os.truncate(path, 0)
