"""Sidecars watch their resources but not the Configuration they were started with: an edit of it is passed on here."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from stack import records
from stack.check import running
from stack.errors import StackError
from stack.home import Home
from stack.program import Program, load_all

Stamp = tuple[int, int]


class ConfigurationWatch:
    """Notices edits below config/; `pass_on` is meant to be called about once a second."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._seen = self._stamps()

    def pass_on(self) -> Iterator[str]:
        """Tell each sidecar whose Configuration changed to read it again, and yield what to say about it."""
        now = self._stamps()
        edited = {path for path, stamp in now.items() if self._seen.get(path) != stamp}
        self._seen = now
        for path in sorted(edited):
            try:
                running.refuse_files(path)
            except StackError as error:
                # A sidecar that reads a broken one ends, and ends again at each start: it keeps what it has.
                yield f"not reloaded: {error}"
                continue
            for program in load_all(self._home):
                if f"--config={path}" in program.argv and self._reload(program, path):
                    yield f"{program.name} reads {path} again"

    def _reload(self, program: Program, path: Path) -> bool:
        starts = records.starts(self._home, program.name)
        if program.kind != "sidecar" or starts is None or not starts.alive:
            return False
        if starts.begun > path.stat().st_mtime:
            # One that started since has read it; a signal before it listens for signals would end it.
            return False
        os.kill(starts.pid, signal.SIGHUP)
        return True

    def _stamps(self) -> dict[Path, Stamp]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in self._home.config.glob("*.yaml")}
