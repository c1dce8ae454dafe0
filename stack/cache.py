"""What is made once per user and kept outside the checkout: built whole, under a lock, or not at all."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from stack.watched import HEARTBEAT_S, Progress

POLL_S: Final = 0.2


def cache_root() -> Path:
    """Return `$SIDECART_CACHE`, else `sidecart` in the user's cache folder, absolute."""
    explicit = os.environ.get("SIDECART_CACHE")
    if explicit:
        return Path(explicit).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    # the XDG convention: a relative value does not count
    return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "sidecart"


def once(entry: Path, make: Callable[[Path], None], *, what: str, progress: Progress) -> Path:
    """Return *entry*, made by *make* in a folder beside it and renamed when whole; one maker at a time."""
    if entry.exists():
        return entry
    entry.parent.mkdir(parents=True, exist_ok=True)
    with _lock(beside(entry, "lock"), what, progress):
        if entry.exists():
            return entry
        part = beside(entry, "part")
        # a maker that was killed could not clean up; holding the lock, we may
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            make(part)
            part.rename(entry)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return entry


def beside(entry: Path, suffix: str) -> Path:
    """Return *entry*'s neighbour `<name>.<suffix>`; names may hold dots."""
    return entry.with_name(f"{entry.name}.{suffix}")


@contextmanager
def _lock(path: Path, what: str, progress: Progress) -> Generator[None]:
    """Hold *path* exclusively; say whom we wait for. The kernel frees it when its holder dies."""
    with path.open("a+", encoding="utf-8") as file:
        started = time.monotonic()
        told = None
        while not _try_lock(file):
            # before the first word, too: the holder writes its number just after it gets the lock
            time.sleep(POLL_S)
            now = time.monotonic()
            if told is None or now - told >= HEARTBEAT_S:
                progress(f"{what}: waiting for process {_holder(path)}, which is at it ({now - started:.0f} s so far)")
                told = now
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() or "unknown"
