"""The process behind `sidecart up`: it starts the supervisor, stays its parent, and takes it down again."""

import json
import signal
import subprocess
import sys
import time

import psutil

from stack import environment, logs, records, supervisor
from stack.errors import StackError
from stack.home import Home
from stack.program import Program, launch_fields, load_all
from stack.progress import Progress
from stack.reloading import ConfigurationWatch
from stack.supervisor import Supervisor

SUPERVISOR_DEADLINE_S = 15.0
STOP_DEADLINE_S = 40.0
KILL_DEADLINE_S = 10.0
TICK_S = 1.0
# What serves goes before what it needs; apps drain through their sidecars.
_WAVES = ("door", "app", "sidecar", "stand-in", "server")


def start_supervisor(home: Home, programs: list[Program]) -> subprocess.Popen[bytes]:
    """Start the supervisor, tied to this process's life, and wait until it answers."""
    for program in programs:
        program.write(home)
    supervisor.write_configuration(home, programs)
    spec = home.run / "supervisord.json"
    spec.write_text(json.dumps({
        "argv": [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(home.run / "supervisord.conf")],
        "env": environment.inherited(),
        **launch_fields(home, "supervisord", "stack.pid"),
        "env_from_files": {},
        "cwd": str(home.run),
        "user": None,
        "death_signal": signal.SIGKILL,
    }))  # fmt: skip
    # A group of its own: Ctrl-C in the terminal reaches this process alone, which then stops the others in order.
    process = subprocess.Popen(supervisor.launcher_command(spec), stdin=subprocess.DEVNULL, process_group=0)
    client, limit = Supervisor(home), time.monotonic() + SUPERVISOR_DEADLINE_S
    while not client.answers():
        if process.poll() is not None or time.monotonic() > limit:
            process.kill()
            process.wait()
            raise StackError(f"the supervisor did not start: {logs.reason(home, 'supervisord')}: see {home.logs}")
        time.sleep(0.02)
    return process


def watch(home: Home, process: subprocess.Popen[bytes], progress: Progress) -> None:
    """Stay until the supervisor ends; raise `StackError`, since it never ends by itself."""
    configurations = ConfigurationWatch(home)
    while process.poll() is None:
        try:
            process.wait(timeout=TICK_S)
        except subprocess.TimeoutExpired:
            logs.rotate(home)
            for line in configurations.pass_on():
                progress.say(line)
    raise StackError(
        f"the supervisor (pid {process.pid}) ended with {process.returncode}, and everything with it: see "
        f"{home.log('supervisord')}, then `sidecart up` again"
    )


def stop(home: Home, process: subprocess.Popen[bytes] | None) -> None:
    """Stop all in order, then the supervisor, then prove that nothing recorded is left."""
    if process is not None and process.poll() is None:
        client = Supervisor(home)
        try:
            for wave in waves(load_all(home)):
                client.stop(wave, STOP_DEADLINE_S)
        except StackError as error:
            print(f"sidecart: {error}; killing what is left", file=sys.stderr)
        process.terminate()
        try:
            process.wait(timeout=KILL_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    kill_leftovers(home)
    (home.run / "stack.json").unlink(missing_ok=True)


def waves(programs: list[Program]) -> list[list[str]]:
    """Return the names in the order of their stopping; names in one wave stop together."""
    apps = {program.env["APP_ID"] for program in programs if program.kind == "app"}

    def wave(program: Program) -> str:
        is_door = program.kind == "sidecar" and program.env.get("APP_ID") not in apps
        return "door" if is_door else program.kind

    ordered = [[program.name for program in programs if wave(program) == each] for each in _WAVES]
    return [names for names in ordered if names]


def kill_leftovers(home: Home) -> list[str]:
    """Kill every recorded process that still runs, and return their names; raise `StackError` if one stays."""
    found = records.leftovers(home)
    for process in found.values():
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(list(found.values()), timeout=KILL_DEADLINE_S)
    if alive:
        pids = ", ".join(str(process.pid) for process in alive)
        raise StackError(f"pid {pids} of {home.root} cannot be killed: end them by hand, then try again")
    return sorted(found)
