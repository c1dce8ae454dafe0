import os
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import psutil
import typer

from stack import detached, keeper, lock, profiles, records
from stack.errors import StackError
from stack.home import Home, current_home
from stack.progress import Progress
from stack.startup import Startup
from stack.topology import DEFAULT_FILE

DOWN_DEADLINE_S = 120.0


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Seed resources and configurations anew.")] = False,
    file: Annotated[Path, typer.Option("--file", "-f", help="The topology to run.")] = DEFAULT_FILE,
    profile: Annotated[str | None, typer.Option(help="A folder of components/; kept until changed.")] = None,
) -> None:
    """Start everything and keep it running; Ctrl-C stops all."""
    home = current_home()
    home.make_directories()
    if profile:
        profiles.chosen([profile])
    if detach:
        detached.start(home, reset=reset, file=file.absolute(), profile=profile)
        return
    held = lock.take(home)
    try:
        _keep(home, file.absolute(), reset=reset, profile=profile)
    finally:
        os.close(held)


def _keep(home: Home, file: Path, *, reset: bool, profile: str | None) -> None:
    """Come up, stay, and go down in order, whatever ends the stay."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    progress = Progress()
    startup = Startup(home, file, progress)
    try:
        startup.run(reset=reset, profile=profile)
        how = "Ctrl-C" if os.isatty(0) else "`sidecart down`"
        progress.say(f"all ready: http://localhost:{home.port(3500)} is the edge; {how} stops all")
        keeper.watch(home, startup.watched, progress)
    except KeyboardInterrupt:
        progress.say("stopping")
    except StackError as error:
        raise StackError(" ".join(str(error).split())) from error
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        keeper.stop(home, startup.supervisor)
        if startup.supervisor is not None:
            progress.say("all stopped")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def down() -> None:
    """Stop everything in order, and prove that nothing is left."""
    home = current_home()
    if not home.run.exists():
        print("nothing is running")
        return
    record = records.running(home)
    if record is not None:
        _end(home, record.pid)
    killed = keeper.kill_leftovers(home)
    (home.run / "stack.json").unlink(missing_ok=True)
    if killed:
        print(f"killed what was left: {', '.join(killed)}")
    print("all stopped" if record or killed else "nothing is running")


def _end(home: Home, pid: int) -> None:
    """Ask the keeper to stop all, and wait for its end; past the deadline it is killed, and all others with it."""
    keeper_process = psutil.Process(pid)
    print(f"stopping the system in {home.root} (pid {pid})", flush=True)
    keeper_process.terminate()
    try:
        keeper_process.wait(timeout=DOWN_DEADLINE_S)
    except psutil.TimeoutExpired:
        keeper_process.kill()
        keeper_process.wait(timeout=DOWN_DEADLINE_S)
