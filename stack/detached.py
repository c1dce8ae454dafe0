"""`up --detach`: the keeper in a session of its own, followed until it is ready or has said why not."""

import subprocess
import sys
import time
from pathlib import Path

from stack import records
from stack.errors import StackError
from stack.home import Home

POLL_S = 0.05
# How the command line begins the one line that says what went wrong.
SAID = "sidecart: "


def start(home: Home, *, reset: bool, file: Path, profile: str | None) -> None:
    """Start the keeper and return when all is ready; its failure is raised as the line it said."""
    log = home.log("up")
    log.touch(mode=0o600)
    seen = log.stat().st_size
    command = [sys.executable, "-m", "stack.cli", "up", "--file", str(file)]
    command += ["--reset"] if reset else []
    command += ["--profile", profile] if profile else []
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _follow(home, process, log, seen)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _follow(home: Home, process: subprocess.Popen[bytes], log: Path, seen: int) -> None:
    """Print what the keeper says until it is ready; raise `StackError` with its last line if it ends instead."""
    failure = f"it ended before it was ready: see {log}"
    while True:
        ended = process.poll() is not None
        record = records.running(home)
        ready = record is not None and record.pid == process.pid and record.ready
        lines, seen = _news(log, seen)
        for line in lines:
            if line.startswith(SAID):
                failure = line.removeprefix(SAID)
            else:
                print(line, flush=True)
        if ready:
            return
        if ended:
            raise StackError(failure)
        time.sleep(POLL_S)


def _news(log: Path, seen: int) -> tuple[list[str], int]:
    with log.open("rb") as file:
        file.seek(seen)
        whole = file.read().rpartition(b"\n")[0]
    if not whole:
        return [], seen
    return whole.decode(errors="replace").splitlines(), seen + len(whole) + 1
