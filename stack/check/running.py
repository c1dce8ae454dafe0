"""The files of one system: what its sidecars watch, and what would become of a new one."""

import os
from collections.abc import Iterator
from pathlib import Path

from stack import environment, records, resources, secrets_file, topology
from stack.check import checkout
from stack.check.finding import Finding
from stack.check.inspection import Files, inspect, replaced, unusable
from stack.check.world import Known
from stack.errors import StackError
from stack.home import Home
from stack.program import load_all

# Sidecars refuse to read these into a component.
WITHHELD = ("DAPR_", "APP_API_TOKEN")
PATTERN = "*.y*ml"


def findings(home: Home) -> list[Finding]:
    """Return all that is wrong with what this system's sidecars read."""
    found, unread = _read(home)
    told = inspect(found, known(home), unread=[each.path for each in unread])
    return sorted({*told, *unread, *_out_of_sight(home)})


def refuse_unusable(home: Home) -> list[Finding]:
    """Raise `StackError` for the first file that no sidecar could use; return what is wrong besides."""
    found, unread = _read(home)
    refuse([*unread, *unusable(found)])
    return inspect(found, known(home))


def refuse_files(*paths: Path) -> None:
    """Raise `StackError` when a sidecar could not use one of these."""
    texts = {path: text_of(path) for path in paths}
    unread = [text for text in texts.values() if isinstance(text, Finding)]
    refuse([*unread, *unusable({path: text for path, text in texts.items() if isinstance(text, str)})])


def arrivals(home: Home, new: Files) -> list[Finding]:
    """Return what would be wrong with *new* in this system, and what *new* would break elsewhere."""
    before_them = present(home) or checkout.files()
    told = known(home)
    before = set(inspect(before_them, told))
    return [each for each in inspect(replaced(before_them, new), told) if each.path in new or each not in before]


def refuse(found: list[Finding], to_see_all: str = "sidecart check --running") -> None:
    """Raise `StackError` with the first finding, in one line, and how to see what there is besides."""
    if found:
        more = f" (and {len(found) - 1} more: `{to_see_all}`)" if len(found) > 1 else ""
        raise StackError(f"{found[0]}{more}")


def known(home: Home) -> Known:
    """Return what this system offers to its files."""
    general = checkout.known()
    return Known(
        app_ids=general.app_ids | set(_app_ids(home)),
        secrets=general.secrets | set(_secrets(home)),
        environment=frozenset(name for name in environment.common(home) if not name.startswith(WITHHELD)),
    )


def present(home: Home) -> dict[Path, str]:
    """Return what this system's sidecars read, as far as it can be read."""
    return _read(home)[0]


def filled_in(home: Home, path: Path) -> str:
    """Return what a file that is to be put in comes to here; raise `StackError` where it cannot be read."""
    text = text_of(path)
    if isinstance(text, Finding):
        raise StackError(str(text))
    return resources.fill_in(home, text, str(path))


def text_of(path: Path) -> str | Finding:
    """Return what a file holds, or why it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        return Finding(path, 1, f"cannot be read: {error.strerror}", "repair or remove it")
    except UnicodeDecodeError:
        return Finding(path, 1, "cannot be read: no UTF-8", "save it as UTF-8")


def _read(home: Home) -> tuple[dict[Path, str], list[Finding]]:
    paths = [path for folder in (home.resources, home.config) for path in sorted(folder.glob(PATTERN))]
    texts = {path: text_of(path) for path in paths}
    unread = [each for each in texts.values() if isinstance(each, Finding)]
    return {path: text for path, text in texts.items() if isinstance(text, str)}, unread


def _out_of_sight(home: Home) -> Iterator[Finding]:
    for folder, _, names in os.walk(home.resources):
        if Path(folder) != home.resources:
            for path in sorted(Path(folder, name) for name in names if Path(name).match(PATTERN)):
                yield Finding(path, 1, "no sidecar looks into a folder", f"move it to {home.resources}")


def _app_ids(home: Home) -> Iterator[str]:
    record = records.running(home)
    if record is not None:
        yield from (program.env["APP_ID"] for program in load_all(home) if "APP_ID" in program.env)
        try:
            yield from (app.app_id for app in topology.load(Path(record.topology)).apps)
        except StackError:
            # It was edited or removed since: those that run are known.
            return


def _secrets(home: Home) -> Iterator[str]:
    try:
        yield from secrets_file.load(home)
    except StackError:
        # None yet, or broken, which its own check says.
        return
