"""A process that lives one life after the other, and is killed at a step of it: before a statement, a commit, a call.

`Lives` starts it, `live_each` is what it does: everything is imported once, and each life is a fork.
"""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NoReturn

import psycopg
from sqlalchemy import text

from apps.chassis.database import Database
from stack.home import CHECKOUT

VISIBLE: Final = frozenset({"commit", "call", "answer"})
LONGEST_S: Final = 60
_AT_WORK: Final = text("""
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'
""")


class Lives:
    """A process that forks for each life: `python -m MODULE ARGUMENTS`."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, text=True)

    def live(self, act: Any, die_at: int) -> dict[str, Any]:
        """Live, and die before step *die_at*, the first is 1; return what is known of it afterwards."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"act": act, "die_at": die_at}) + "\n")
        self._process.stdin.flush()
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        self._process.communicate(timeout=20)


class Steps:
    """Counts each step that is about to be done, and is killed before that of number *die_at*."""

    def __init__(self, die_at: int) -> None:
        self.passed: list[str] = []
        self._die_at = die_at

    def __call__(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def count_calls(self, owner: Any, attribute: str, name: str) -> None:
        """Have each call of a function or method be a step."""
        function = getattr(owner, attribute)

        def stepping(*arguments: Any, **named: Any) -> Any:
            self(name)
            return function(*arguments, **named)

        setattr(owner, attribute, stepping)

    def count_database(self) -> None:
        """Have each statement and each commit be a step."""
        self.count_calls(psycopg.AsyncCursor, "execute", "statement")
        self.count_calls(psycopg.AsyncConnection, "commit", "commit")


def live_each(live: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
    """Live each life that a line of the input tells of; call this with no connection open."""
    # the children share what they do not touch
    gc.disable()
    gc.freeze()
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            _end_with(live, line)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            print(json.dumps({"killed_by": os.WTERMSIG(status)}), flush=True)
        elif os.WEXITSTATUS(status):
            print(json.dumps({"failed": os.WEXITSTATUS(status)}), flush=True)


def _end_with(live: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]], line: str) -> NoReturn:
    """Live one life in a process of its own, which never returns from here."""
    try:
        print(json.dumps(asyncio.run(_lived(live, line))), flush=True)
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)


async def _lived(live: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]], line: str) -> dict[str, Any]:
    async with asyncio.timeout(LONGEST_S):
        return await live(json.loads(line))


async def buried(database: Database) -> None:
    """Wait until the server knows of a death: until then it keeps the locks of the dead, and who skips what is locked
    would find nothing to do.
    """
    async with asyncio.timeout(LONGEST_S), database.reading() as connection:
        while (await connection.execute(_AT_WORK)).scalar_one():
            await asyncio.sleep(0.01)


def moments(steps: Sequence[str]) -> list[int]:
    """Return before which steps something has just become true for others, or is about to: commits and calls."""
    visible = {at for at, step in enumerate(steps, start=1) if step in VISIBLE}
    return sorted(visible | {at + 1 for at in visible if at < len(steps)})
