"""More or fewer replicas of a service while the system runs: each with a sidecar of its own under one app-id."""

import time
from pathlib import Path

from stack import names, ports, secrets_file, supervisor, topology
from stack.errors import StackError
from stack.home import Home
from stack.keeper import STOP_DEADLINE_S
from stack.program import Program, load_all
from stack.progress import Progress
from stack.records import Running
from stack.services import Services, replica_name
from stack.startup import await_ready
from stack.supervisor import Supervisor

# Ports of the next service begin 1 further and each replica moves by 100: nine fit below the next block.
MOST = 9
ARRIVED_S = 1.0


def scale(home: Home, record: Running, app_id: str, wanted: int, progress: Progress) -> None:
    """Run *wanted* replicas of *app_id*; returns when the new ones are ready."""
    app = topology.load(Path(record.topology)).app(app_id)
    if not app.command:
        raise StackError(f"{app_id} is a bare sidecar: only a service can be scaled")
    if not 1 <= wanted <= MOST:
        raise StackError(f"{app_id}={wanted}: give a number of replicas from 1 to {MOST}")
    present = {program.name: program for program in load_all(home)}
    have = max(number for number in range(1, MOST + 1) if replica_name(app_id, number) in present)
    daprd = Path(present[f"{app_id}-daprd"].argv[0])
    services = Services(home, topology.load(Path(record.topology)), daprd, secrets_file.load(home))
    added = [program for number in range(have + 1, wanted + 1) for program in services.replica(app, number)]
    removed = [replica_name(app_id, number) for number in range(wanted + 1, have + 1)]
    if added:
        with names.held(home, [program for program in added if program.kind == "sidecar"]):
            add(home, [*present.values()], added, progress)
    for name in removed:
        with names.held(home, [present[f"{name}-daprd"]]):
            leave(home, name, f"{name}-daprd")
            remove(home, [name, f"{name}-daprd"])
        progress.say(f"stopped: {name}")


def leave(home: Home, app: str, sidecar: str) -> None:
    """Stop a replica that nobody is sent to any more: no call is cut off, and no event handed to one that has gone.

    The sidecar is told first: it ends its subscriptions and goes on serving the app, which finishes what it has.
    """
    client = Supervisor(home)
    # a call that was on its way to the sidecar is in the app's hands by then
    time.sleep(ARRIVED_S)
    client.begin_stop(sidecar)
    client.stop([app], STOP_DEADLINE_S)
    client.stop([sidecar], STOP_DEADLINE_S)


def add(home: Home, present: list[Program], added: list[Program], progress: Progress) -> None:
    """Start *added* beside what runs, and return when all of it is ready."""
    ports.refuse_taken({f"{each.name} {use}": port for each in added for use, port in each.ports.items()})
    for program in added:
        program.write(home)
    supervisor.write_configuration(home, [*present, *added])
    client = Supervisor(home)
    for program in added:
        client.add(program.name)
        client.start(program.name)
    await_ready(home, added, progress)


def remove(home: Home, stopped: list[str]) -> None:
    """Take processes out of the middle of their work in an orderly way: an app drains through its sidecar."""
    client = Supervisor(home)
    sidecars = [program for program in load_all(home) if program.name in stopped and program.kind == "sidecar"]
    for each in stopped:
        client.stop([each], STOP_DEADLINE_S)
        client.remove(each)
        (home.programs / f"{each}.json").unlink(missing_ok=True)
    names.forget(home, sidecars)
    supervisor.write_configuration(home, load_all(home))
