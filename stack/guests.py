"""App-ids that join a running system by a run file of their own, and leave it again: nothing of the system changes."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from stack import environment, loaded, resources, scale, secrets_file, topology
from stack.check import running
from stack.errors import StackError
from stack.home import CHECKOUT, Home
from stack.program import Program, load_all
from stack.progress import Progress
from stack.records import Running
from stack.services import Services
from stack.topology import App, Topology

RUN_FILE = "dapr.yaml"


def join(home: Home, file: Path, progress: Progress) -> None:
    """Start the app-ids of *file* beside what runs, each with a sidecar; all of them, or none."""
    guests = topology.load(file / RUN_FILE if file.is_dir() else file)
    present = load_all(home)
    _refuse_present(guests.apps, present)
    _refuse_missing_commands(guests)
    added = programs(home, guests)
    sidecars = [program for program in added if program.kind == "sidecar"]
    files = [path for sidecar in sidecars for path in loaded.watched_files(sidecar)]
    running.refuse_files(*files)
    _refuse_other_products(home, files)
    _bring_configurations(home, guests)
    try:
        scale.add(home, present, added, progress)
        loaded.refuse_left_out(home, added)
    except BaseException:
        scale.remove(home, [program.name for program in added])
        raise


def programs(home: Home, guests: Topology) -> list[Program]:
    """Describe the processes of *guests*, under the runtime that is already in use."""
    daprd = next(Path(program.argv[0]) for program in load_all(home) if program.kind == "sidecar")
    services = Services(home, guests, daprd, secrets_file.load(home), guests=True)
    return [program for app in guests.apps for program in services.replica(app)]


def leave(home: Home, record: Running, app_id: str, progress: Progress) -> None:
    """Stop one guest and its sidecar; what it stored stays."""
    if app_id in {app.app_id for app in topology.load(Path(record.topology)).apps}:
        raise StackError(f"{app_id} belongs to the system itself: only what joined it can leave")
    names = [program.name for program in members(home, app_id)]
    scale.remove(home, names)
    progress.say(f"stopped: {', '.join(names)}")


def members(home: Home, app_id: str) -> list[Program]:
    """Return an app-id's processes, the app before its sidecar; raise `StackError` where there are none."""
    programs = [program for program in load_all(home) if program.env.get("APP_ID") == app_id]
    if not programs:
        known = {program.env["APP_ID"] for program in load_all(home) if program.kind == "sidecar"}
        raise StackError(f"there is no app-id {app_id!r} here: there are {', '.join(sorted(known))}")
    return sorted(programs, key=lambda program: program.kind)


def addresses(home: Home, app_id: str) -> dict[str, str]:
    """Return what a client of the sidecar of *app_id* sets in its environment, and where the edge is."""
    sidecar = members(home, app_id)[-1]
    token = sidecar.env.get("DAPR_API_TOKEN")
    return {
        "DAPR_HTTP_PORT": sidecar.env["DAPR_HTTP_PORT"],
        "DAPR_GRPC_PORT": sidecar.env["DAPR_GRPC_PORT"],
        **({"DAPR_API_TOKEN": token} if token else {}),
        "SIDECART_EDGE_URL": f"http://127.0.0.1:{members(home, 'edge')[-1].ports['http']}",
    }


def _refuse_present(apps: Iterable[App], present: list[Program]) -> None:
    taken = {program.env.get("APP_ID") for program in present}
    for app in apps:
        if app.app_id in taken:
            raise StackError(f"{app.app_id} is here already: `sidecart leave {app.app_id}` first")


def _refuse_missing_commands(guests: Topology) -> None:
    path = environment.inherited().get("PATH")
    for app in guests.services:
        if app.command[0] not in {"python", "python3"} and shutil.which(app.command[0], path=path) is None:
            where = f"{guests.file}: apps.{app.app_id}.command"
            raise StackError(f"{where}: {app.command[0]} is not on PATH: install it, then join again")


def _refuse_other_products(home: Home, files: Iterable[Path]) -> None:
    """Raise `StackError` for a component that shares its name with one of the system's but is another product.

    A guest that reads another broker than the one the services write to would hear nothing, and say nothing.
    """
    here = {name: kind for path in sorted(home.resources.glob("*.yaml")) for name, kind in _component(path)}
    for path in files:
        for name, kind in _component(path):
            if here.get(name, kind) != kind:
                raise StackError(f"{path}: {name} is {kind} here and {here[name]} in the running system: use that")


def _component(path: Path) -> list[tuple[str, str]]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return [(document["metadata"]["name"], document["spec"]["type"])] if document["kind"] == "Component" else []


def _bring_configurations(home: Home, guests: Topology) -> None:
    """Put each guest's Configuration where edits are noticed; those of the checkout are there, perhaps edited."""
    for app in guests.apps:
        if app.config_file_path is None:
            continue
        source = (guests.file.parent / app.config_file_path).resolve()
        if source.parent == CHECKOUT / resources.CONFIG_FOLDER:
            continue
        text = resources.fill_in(home, source.read_text(), str(source))
        running.refuse_files(source)
        (home.config / source.name).write_text(text)
