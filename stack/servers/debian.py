"""Programs from Debian's packages, unpacked into the cache: no root, and nothing of the machine is changed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from stack.cache import beside, cache_root, once
from stack.servers.server import MissingServerError
from stack.watched import Progress, run_watched

# Only what is needed to run it.
_LEFT_OUT = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
_DEPENDS = ("--recurse", *(f"--no-{kind}" for kind in _LEFT_OUT))


def missing(package: str) -> str | None:
    """Say what stands against fetching *package*; None when nothing does."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return f"this is no Debian: install {package} yourself"
    if not _closure(package, package):
        return f"apt knows no {package}: run `apt-get update` as root, or install {package}"
    return None


def unpacked(package: str, family: str, progress: Progress) -> Path:
    """Return a folder with *package* and what it needs of the packages that match *family*."""
    entry = cache_root() / "debian" / package
    log = beside(entry, "log")
    return once(entry, lambda part: _unpack(package, family, part, log, progress), what=package, progress=progress)


def _closure(package: str, family: str) -> list[str]:
    done = subprocess.run(
        ["apt-cache", "depends", *_DEPENDS, package], capture_output=True, text=True, check=False, timeout=60
    )
    return sorted({line for line in done.stdout.splitlines() if re.fullmatch(family, line)})


def _unpack(package: str, family: str, part: Path, log: Path, progress: Progress) -> None:
    progress(f"{package}: fetching Debian's packages, once")
    archives = part / "archives"
    archives.mkdir()
    # as root, apt fetches as a user of its own, which has to be able to write here
    archives.chmod(0o777)
    status = run_watched(
        ["apt-get", "download", *_closure(package, family)],
        env=os.environ,
        cwd=archives,
        log=log,
        on_line=lambda _: None,
        heartbeat=lambda elapsed: progress(f"{package}: fetching ({elapsed:.0f} s)"),
    )
    fetched = sorted(archives.glob("*.deb"))
    if status != 0 or not any(path.name.startswith(f"{package}_") for path in fetched):
        raise MissingServerError(f"{package} could not be fetched from Debian: see {log}; try again, or install it")
    for archive in fetched:
        subprocess.run(["dpkg-deb", "-x", archive, part], check=True)
    shutil.rmtree(archives)
