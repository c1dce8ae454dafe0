"""Where daprd and sentry come from: installed and new enough, else built once and cached."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack import go_toolchain
from stack.cache import cache_root
from stack.runtime_build import SOURCE, build, built, pins
from stack.watched import Progress, to_stderr

OLDEST: Final = "1.18.0"

# major, minor, patch, and whether it is a release: a candidate sorts before its release
Version = tuple[int, int, int, bool]


@dataclass(frozen=True)
class Runtime:
    """The programs of one Dapr release; *origin* says in words where they were found."""

    daprd: Path
    sentry: Path
    version: str
    origin: str


def resolve(progress: Progress = to_stderr, source: Path = SOURCE) -> Runtime:
    """Return a runtime of at least `OLDEST`, building it if need be; raises `RuntimeBuildError`."""
    return find_installed(progress) or _built(progress, source)


def find_installed(progress: Progress = to_stderr) -> Runtime | None:
    """Return the first folder's daprd and sentry that are new enough; never builds."""
    for folder in _folders():
        daprd, sentry = folder / "daprd", folder / "sentry"
        if not _executable(daprd):
            continue
        version = version_of(daprd)
        if version is None or not new_enough(version):
            progress(f"{daprd} is {version or 'of unknown version'}, older than {OLDEST} or no release: not used")
        elif not _executable(sentry):
            # sentry prints no version, so only one from daprd's own folder is known to match
            progress(f"{daprd} has no sentry beside it: not used")
        else:
            return Runtime(daprd, sentry, version, f"installed in {folder}")
    return None


def is_here(source: Path = SOURCE) -> bool:
    """Tell whether nothing has to be built."""
    return find_installed(lambda _: None) is not None or built(source) is not None


def told(source: Path = SOURCE) -> str:
    """Say what `resolve` would return, or how it would build it; raises `RuntimeBuildError` where it could not."""
    if found := find_installed(lambda _: None):
        return f"{found.version}, {found.origin}"
    pinned = pins(source)
    if folder := built(source):
        return f"{pinned.dapr}, built before, in {folder}"
    go = go_toolchain.told(pinned.go)
    return f"none yet: the first `sidecart up` builds {pinned.dapr}, once, in 4 to 8 minutes, with {go}"


def is_ours(daprd: Path) -> bool:
    """Tell whether *daprd* was built here, with the bindings of our own that an installed one lacks."""
    return daprd.is_relative_to(cache_root() / "runtime")


def version_of(daprd: Path) -> str | None:
    """Ask *daprd* for its release; None when it does not answer with one."""
    try:
        answer = subprocess.run([daprd, "--version"], capture_output=True, text=True, timeout=15, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    first = answer.stdout.strip().partition("\n")[0]
    return first.removeprefix("v") if parse(first) else None


def new_enough(version: str) -> bool:
    """Tell whether *version* is `OLDEST` or later; what cannot be read is not."""
    have, oldest = parse(version), parse(OLDEST)
    return have is not None and oldest is not None and have >= oldest


def parse(text: str) -> Version | None:
    """Read `1.18.2`, `v1.18.2` or `1.19.0-rc.1`; None for `edge` and the like."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(-[\w.-]+)?", text.strip())
    return (int(found[1]), int(found[2]), int(found[3]), found[4] is None) if found else None


def _built(progress: Progress, source: Path) -> Runtime:
    folder = build(progress, source)
    return Runtime(folder / "daprd", folder / "sentry", pins(source).dapr, f"built from {source}")


def _folders() -> Iterator[Path]:
    """Yield PATH's folders in order, then the one `dapr init` fills; each once."""
    listed = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    # a relative PATH entry would run whatever lies in the current folder
    yield from dict.fromkeys([*(part for part in listed if part.is_absolute()), Path.home() / ".dapr" / "bin"])


def _executable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK)
