"""Start one supervised process: `python -I -S launch.py run/programs/NAME.json`.

It imports only what costs nothing, notes the start, binds the process's life to its supervisor's, waits when the
process keeps dying, and becomes the program.
"""

import ctypes
import json
import os
import pwd
import resource
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
# A process that lived this long was well: its next start is not delayed.
SETTLED_S = 10.0
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0
OPEN_FILES = 65536


def delay(quick_deaths: int) -> float:
    """Return the seconds to wait after so many short lives in a row: 0, 0, 0.5, 1, 2, 4, 8, 8, ..."""
    if quick_deaths < 2:  # noqa: PLR2004 - one crash may be chance
        return 0.0
    return min(FIRST_DELAY_S * 2.0 ** (quick_deaths - 2), LONGEST_DELAY_S)


def start_ticks(pid: int) -> int:
    """Return when *pid* started, in clock ticks since boot: with the pid it names one process for ever."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[19])


def note_start(starts: Path, now: float) -> float:
    """Append `pid ticks begun quick_deaths` to *starts* and return how long to wait first."""
    quick = 0
    if starts.exists() and (lines := starts.read_text().splitlines()):
        _, _, begun, before = lines[-1].split()
        quick = int(before) + 1 if now - float(begun) < SETTLED_S else 0
    wait = delay(quick)
    pid = os.getpid()
    with starts.open("a") as file:
        file.write(f"{pid} {start_ticks(pid)} {now + wait:.3f} {quick}\n")
    return wait


def bind_to_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel for *death_signal* when *parent* dies; leave at once if it is gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def raise_file_limit() -> None:
    """Take as many open files as the machine grants, up to what a busy sidecar needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def take_turns() -> None:
    """Wait for a core when waking, rather than take it from another program of the system; see docs/adr/0071."""
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def environment(spec: dict[str, Any]) -> dict[str, str]:
    """Return the program's environment, with the values that are kept in files filled in."""
    return {**spec["env"], **{name: Path(path).read_text() for name, path in spec["env_from_files"].items()}}


def drop_to(user: str) -> None:
    """Give up root for *user*; a change of user clears the death signal, so this comes first."""
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main() -> None:
    """Become the program that the file named on the command line describes."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    parent = int(Path(spec["parent_pid_file"]).read_text())
    bind_to_parent(parent, spec["death_signal"])
    log = os.open(spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    time.sleep(note_start(Path(spec["starts"]), time.time()))
    env = environment(spec)
    raise_file_limit()
    take_turns()
    if spec["user"]:
        drop_to(spec["user"])
        bind_to_parent(parent, spec["death_signal"])
    os.chdir(spec["cwd"])
    os.execvpe(spec["argv"][0], spec["argv"], env)  # noqa: S606 - this is what a launcher is for


if __name__ == "__main__":
    main()
