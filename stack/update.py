"""Replicas of a service replaced one by one, each by what the checkout holds now, while calls and events go on."""

from pathlib import Path

from stack import migrations, names, scale, secrets_file, topology
from stack.errors import StackError
from stack.home import Home
from stack.program import Program, load_all
from stack.progress import Progress
from stack.records import Running
from stack.services import Services, replica_name
from stack.startup import await_ready
from stack.supervisor import Supervisor


def update(home: Home, record: Running, app_id: str, progress: Progress) -> None:
    """Migrate, then replace; a service that runs alone has a second replica beside it meanwhile."""
    found = topology.load(Path(record.topology))
    app = found.app(app_id)
    if not app.command:
        raise StackError(f"{app_id} is a bare sidecar: `sidecart restart {app_id}-daprd`")
    secrets = secrets_file.load(home)
    with progress.stage(f"migrating {app_id}"):
        migrations.run(home, [app], secrets)
    present = {program.name: program for program in load_all(home)}
    numbers = [number for number in range(1, scale.MOST + 1) if replica_name(app_id, number) in present]
    services = Services(home, found, Path(present[f"{app_id}-daprd"].argv[0]), secrets)
    alone = len(numbers) == 1
    if alone:
        scale.scale(home, record, app_id, 2, progress)
    for number in numbers:
        _replace(home, services.replica(app, number), progress)
    if alone:
        scale.scale(home, record, app_id, 1, progress)


def _replace(home: Home, replica: list[Program], progress: Progress) -> None:
    app, sidecar = replica
    with progress.stage(f"replacing {app.name}"), names.held(home, [sidecar]):
        scale.leave(home, app.name, sidecar.name)
        client = Supervisor(home)
        for program in replica:
            program.write(home)
            client.start(program.name)
        await_ready(home, replica, progress)
