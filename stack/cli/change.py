import re
from pathlib import Path
from typing import Annotated

import typer

from stack import apply as applying
from stack import scale as scaling
from stack import swap as swapping
from stack import update as updating
from stack.cli.watching import require_running
from stack.errors import StackError
from stack.home import current_home
from stack.keeper import STOP_DEADLINE_S
from stack.program import load_all
from stack.progress import Progress
from stack.startup import await_ready
from stack.supervisor import Supervisor


def restart(name: Annotated[str, typer.Argument(help="A name that `sidecart status` shows.")]) -> None:
    """Stop one process in an orderly way, start it, and wait until it is ready."""
    home = current_home()
    require_running(home)
    programs = {program.name: program for program in load_all(home)}
    if name not in programs:
        raise StackError(f"there is no process {name!r}: there are {', '.join(programs)}")
    client = Supervisor(home)
    client.stop([name], STOP_DEADLINE_S)
    client.start(name)
    await_ready(home, [programs[name]], Progress())


def scale(what: Annotated[str, typer.Argument(metavar="NAME=N", help="For example orders=3.")]) -> None:
    """Run N replicas of a service, each with a sidecar of its own."""
    home = current_home()
    record = require_running(home)
    match = re.fullmatch(r"([a-z][a-z0-9-]*)=(\d+)", what)
    if match is None:
        raise StackError(f"{what!r} is not understood: write NAME=N, for example orders=3")
    scaling.scale(home, record, match[1], int(match[2]), Progress())


def update(app_id: Annotated[str, typer.Argument(metavar="NAME", help="A service, for example orders.")]) -> None:
    """Migrate a service and replace its replicas one by one by what the checkout holds now; calls and events go on."""
    home = current_home()
    updating.update(home, require_running(home), app_id, Progress())


def apply(file: Annotated[Path, typer.Argument(help="One component, subscription, policy, ... in YAML.")]) -> None:
    """Check a YAML file and put it into the system, in place of the one of the same kind and name."""
    home = current_home()
    text = applying.read(home, file)
    applying.prepare(home)
    # A sidecar that does not find a component's server ends, and ends again.
    swapping.start_servers_for(home, text, Progress())
    target = applying.apply(home, file)
    print(f"applied: {target}\n{applying.effect(home, target)}")
