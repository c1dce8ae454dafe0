"""Another state store in the place of a role's, while documents are written: see docs/swapping.md for the steps."""

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from stack import component_files, operating
from stack.component_files import holder, named, scopes
from stack.errors import StackError
from stack.home import Home
from stack.logs import message
from stack.program import Program, load_all

# A component has five seconds to begin with, by daprd's own default; within HELD_S.
LOADED_S = 12.0
POLL_S = 0.05
# Calls wait this long for a store that is being replaced; one takes well under a second.
HELD_S = 15.0
# What is being removed is closed within a second or two of its file's end.
CLOSED_S = 4.0


def current(home: Home, role: str) -> Path:
    """Return the file that holds *role*, or say that there is none."""
    path = holder(home, role)
    if path is None:
        raise StackError(f"there is no component {role} in {home.resources}: `sidecart apply` one")
    return path


def introduce(home: Home, role: str, file: Path) -> bool:
    """Have the sidecars load *file* as `ROLE-next`, beside what is in use; tell whether that is news."""
    if holder(home, f"{role}-previous"):
        raise StackError(
            f"the store before {role} is still there: `sidecart state copy`, `sidecart state finish` first"
        )
    text = named(component_files.read_store(home, file, role), f"{role}-next", tolerant=True)
    return _add(home, f"{role}-next", text)


def swap(home: Home, role: str) -> None:
    """Let `ROLE-next` take the role, and what had it be `ROLE-previous`; what was interrupted may be repeated."""
    next_file, path = holder(home, f"{role}-next"), current(home, role)
    if next_file is None:
        raise StackError(f"there is no {role}-next to take the place of {role}: `sidecart state copy --to FILE` first")
    before, after = path.read_text(), named(next_file.read_text(), role)
    if before != after:
        _add(home, f"{role}-previous", named(before, f"{role}-previous", tolerant=True))
        replace(home, role, after)
    remove(home, f"{role}-next")


def replace(home: Home, role: str, text: str) -> None:
    """Put *text* in the place of the store in use while nobody calls it; where it cannot be loaded, undo that.

    A sidecar that closes a store in the middle of a call may die of it, and take a second to come back.
    """
    path = current(home, role)
    before = path.read_text()
    with _held(home, role, scopes(before)):
        marks = _marks(home, scopes(text))
        home.put(path, text)
        try:
            _await_loaded(role, marks)
        except StackError:
            home.put(path, before)
            raise


def remove(home: Home, name: str) -> None:
    """Take a component out of the running system; calls to it wait until it is surely gone."""
    path = holder(home, name)
    if path is None:
        return
    for replica in _users(home, scopes(path.read_text())):
        operating.ask(home, replica, "/internal/operator/documents/hold", {"component": name, "seconds": CLOSED_S})
    path.unlink()


def _add(home: Home, name: str, text: str) -> bool:
    """Put in a component that nobody uses yet, and wait until it is loaded; tell whether it was not there before."""
    path = holder(home, name) or home.resources / f"{name}.yaml"
    if path.exists() and path.read_text() == text:
        return False
    marks = _marks(home, scopes(text))
    home.put(path, text)
    try:
        _await_loaded(name, marks)
    except StackError:
        path.unlink()
        raise
    return True


@contextmanager
def _held(home: Home, name: str, app_ids: list[str]) -> Generator[None]:
    """Keep every replica from calling *name*, and let them go on afterwards."""
    replicas = _users(home, app_ids)
    try:
        for replica in replicas:
            operating.ask(home, replica, "/internal/operator/documents/hold", {"component": name, "seconds": HELD_S})
        yield
    finally:
        for replica in replicas:
            # one that is away holds nothing, and holding ends by itself
            with suppress(operating.BusyError):
                operating.ask(home, replica, f"/internal/operator/documents/release/{name}", None)


def _users(home: Home, app_ids: list[str]) -> list[Program]:
    return [replica for app_id in app_ids for replica in operating.replicas(home, app_id)]


def _marks(home: Home, app_ids: list[str]) -> dict[Path, int]:
    """Return the log of each sidecar concerned, with its length now."""
    sidecars = [it.name for it in load_all(home) if it.kind == "sidecar" and it.env["APP_ID"] in app_ids]
    return {home.log(name): home.log(name).stat().st_size for name in sidecars}


def _await_loaded(name: str, marks: dict[Path, int]) -> None:
    """Wait until each sidecar says that it has loaded *name* since: one of the same type is told by nothing else."""
    limit = time.monotonic() + LOADED_S
    for log, mark in marks.items():
        while f"Component loaded: {name} (" not in (said := _since(log, mark)):
            if complaint := next((line for line in said.splitlines() if "rror" in line and f"{name} (" in line), None):
                raise StackError(f"{log.stem} cannot use {name}: {message(complaint)}")
            if time.monotonic() > limit:
                raise StackError(f"{log.stem} did not load {name} within {LOADED_S:.0f} s: see {log}")
            time.sleep(POLL_S)


def _since(log: Path, mark: int) -> str:
    with log.open("rb") as file:
        file.seek(mark if log.stat().st_size >= mark else 0)
        return file.read().decode(errors="replace")
