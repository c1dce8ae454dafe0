"""Long-running child programs: their output kept in a file, their progress told, no child left behind."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

Progress = Callable[[str], None]

HEARTBEAT_S: Final = 10.0
GRACE_S: Final = 5.0
BACKGROUND_NICENESS: Final = 10


def to_stderr(line: str) -> None:
    """Show a progress line at once; stdout stays free for results."""
    print(line, file=sys.stderr, flush=True)


def run_watched(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    on_line: Callable[[str], None],
    heartbeat: Callable[[float], None],
) -> int:
    """Run *command* and return its exit status; *heartbeat* gets the seconds elapsed, often enough to reassure."""
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as kept, _terminable(), _child(command, env, cwd) as child:
        for line in _lines(child, lambda: heartbeat(time.monotonic() - started)):
            kept.write(line)
            kept.flush()
            on_line(line.rstrip("\n"))
        return child.wait()


def _lines(child: subprocess.Popen[bytes], heartbeat: Callable[[], None]) -> Iterator[str]:
    """Yield the child's lines until it closes its output, calling *heartbeat* every `HEARTBEAT_S` seconds."""
    assert child.stdout is not None  # noqa: S101 - _child asked for a pipe
    pipe = child.stdout.fileno()
    rest = b""
    due = time.monotonic() + HEARTBEAT_S
    while True:
        readable, _, _ = select.select([pipe], [], [], max(0.0, due - time.monotonic()))
        if time.monotonic() >= due:
            heartbeat()
            due = time.monotonic() + HEARTBEAT_S
        if not readable:
            continue
        chunk = os.read(pipe, 65536)
        *complete, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") + "\n" for line in complete)
        if not chunk:
            if rest:
                yield rest.decode(errors="replace") + "\n"
            return


@contextmanager
def _child(command: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> Generator[subprocess.Popen[bytes]]:
    """Start *command* as the leader of a group of its own, which does not outlive the block."""
    child = subprocess.Popen(
        [str(part) for part in command],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, child.pid, BACKGROUND_NICENESS)
        yield child
    except BaseException:
        _end_group(child)
        raise
    finally:
        if child.stdout is not None:
            child.stdout.close()


@contextmanager
def _terminable() -> Generator[None]:
    """Let a request to terminate, or a closed terminal, unwind as Ctrl-C does: by default it would orphan the child."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to stop, and insist after `GRACE_S` seconds: compilers are grandchildren."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
