"""Another product for a role while the system runs: servers first, then the file, then every sidecar's word for it."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import yaml

from stack import (
    loaded,
    moving,
    ports,
    providers,
    records,
    republishing,
    resources,
    runtime,
    secrets_file,
    supervisor,
)
from stack.errors import StackError
from stack.home import Home
from stack.keeper import STOP_DEADLINE_S
from stack.logs import reason
from stack.profiles import Variant
from stack.program import Program, load_all
from stack.progress import Progress
from stack.servers import resolver
from stack.servers.server import MissingServerError, Server
from stack.startup import await_ready
from stack.supervisor import Supervisor

TAKEN_UP_S = 120.0
# A sidecar lets go of a component in a second or two. An installed daprd that does not may hang for good: its batching
# forgets what arrives as a subscription ends, and the broker's component does not close before that is answered. Ours
# comes to an end with everything, if a busy machine lets it.
LET_GO_S, OURS_LETS_GO_S = 5.0, 30.0
POLL_S = 0.1


def swap(home: Home, variants: dict[str, Variant], progress: Progress) -> None:
    """Put *variants* in their roles' places and return when every sidecar concerned uses them."""
    cut_off = _cut_off(home) & variants.keys()
    if cut_off:
        progress.say(f"taken up where it was cut off: {', '.join(sorted(cut_off))}")
    changed = {role: it for role, it in variants.items() if role in cut_off or _differs(home, it)}
    if not changed:
        progress.say("nothing to swap: all of it is in use")
        return
    providers.refuse_strangers(home, changed.values())
    start_servers(home, _servers_for(home, changed.values()), progress)
    for role in changed.keys() & moving.ROLES:
        variant = changed.pop(role)
        moving.move(home, role, variant, progress)
        progress.say(f"{role} is {variant.type}")
    _replace(home, changed, progress)
    stop_unused(home, progress)


def _replace(home: Home, changed: dict[str, Variant], progress: Progress) -> None:
    """Put other components in place of those that keep nothing, or nothing that a replay does not bring back."""
    brokers = [role for role, it in changed.items() if it.type.startswith("pubsub.")]
    if brokers:
        republishing.note(home, brokers)
    resources.choose(home, {role: it.profile for role, it in changed.items()})
    for variant in changed.values():
        _await_taken_up(home, variant, progress)
        progress.say(f"{variant.role} is {variant.type}")
    if brokers:
        republishing.settle(home, progress)


def start_servers(home: Home, servers: Iterable[Server], progress: Progress) -> None:
    """Start those that do not run yet and wait until they are ready."""
    present = {program.name: program for program in load_all(home)}
    secrets = secrets_file.load(home)
    for server in servers:
        with progress.stage(f"preparing {server.name}"):
            described = resolver.programs(home, server, secrets, progress.say)
        added = [program for program in described if program.name not in present]
        if added:
            _start(home, [*present.values(), *added], added, progress)
            resolver.prepare(home, [program.name for program in added], secrets)
            present |= {program.name: program for program in added}


def start_servers_for(home: Home, component: str, progress: Progress) -> None:
    """Start what a component's YAML needs, before a sidecar looks for it in vain; with no system up, nothing does."""
    if records.running(home) is not None:
        start_servers(home, resolver.needed_by(component), progress)


def stop_unused(home: Home, progress: Progress) -> None:
    """Stop the servers that no component needs any more."""
    wanted = {use for server in resolver.needed(home) for use in server.processes}
    known = {use for server in resolver.SERVERS.values() for use in server.processes}
    client = Supervisor(home)
    for program in [it for it in load_all(home) if it.name in known - wanted]:
        client.stop([program.name], STOP_DEADLINE_S)
        client.remove(program.name)
        (home.programs / f"{program.name}.json").unlink()
        progress.say(f"stopped: {program.name}")
    supervisor.write_configuration(home, load_all(home))


def _cut_off(home: Home) -> set[str]:
    """Return the roles whose file was replaced by a swap that was killed before it had ended."""
    debt = republishing.owed(home)
    return {role for role in moving.ROLES if moving.unfinished(home, role)} | (debt.roles if debt else set())


def _differs(home: Home, variant: Variant) -> bool:
    target = home.resources / f"{variant.role}.yaml"
    text = resources.fill_in(home, variant.path.read_text(), str(variant.path))
    return not target.exists() or target.read_text() != text


def _servers_for(home: Home, variants: Iterable[Variant]) -> list[Server]:
    """Return what has to run, or refuse before anything is changed."""
    found = {server.name: server for it in variants for server in resolver.needed_by(it.path.read_text())}
    for server in found.values():
        if (why := resolver.unavailable(home, server)) is not None:
            raise MissingServerError(f"{server.name} is needed and cannot be had: {why}")
    return list(found.values())


def _start(home: Home, everything: list[Program], added: list[Program], progress: Progress) -> None:
    ports.refuse_taken({f"{it.name} {use}": port for it in added for use, port in it.ports.items()})
    for program in added:
        program.write(home)
    supervisor.write_configuration(home, everything)
    client = Supervisor(home)
    for program in added:
        client.add(program.name)
        client.start(program.name)
    await_ready(home, added, progress)


def _await_taken_up(home: Home, variant: Variant, progress: Progress) -> None:
    """Wait for each sidecar to name the new type: it does so once its subscriptions have moved as well."""
    scopes: list[str] = yaml.safe_load(variant.path.read_text())["scopes"]
    waiting = [it for it in loaded.that_tell(load_all(home)) if it.env["APP_ID"] in scopes]
    ours = all(runtime.is_ours(Path(it.argv[0])) for it in waiting)
    limit = time.monotonic() + TAKEN_UP_S
    patience = time.monotonic() + (OURS_LETS_GO_S if ours else LET_GO_S)
    while True:
        in_use = {it.name: loaded.types(it).get(variant.role) for it in waiting}
        waiting = [it for it in waiting if in_use[it.name] != variant.type]
        if not waiting:
            return
        if time.monotonic() > patience:
            patience = limit
            # what has been let go of is no longer named; from then on it is the new one that takes its time
            for sidecar in [it for it in waiting if in_use[it.name] is not None]:
                progress.say(f"{sidecar.name} does not let go of what it had for {variant.role}: started anew")
                _start_anew(home, sidecar)
        if time.monotonic() > limit:
            name = waiting[0].name
            said = f"{name} did not take up {variant.role} as {variant.type} within {TAKEN_UP_S:.0f} s"
            raise StackError(f"{said}: {reason(home, name)}: see `sidecart logs {name}`; swap back if it stays so")
        time.sleep(POLL_S)


def _start_anew(home: Home, sidecar: Program) -> None:
    """Kill a sidecar that hangs; the supervisor starts it again, and its app goes on."""
    starts = records.starts(home, sidecar.name)
    if starts is not None and starts.alive:
        os.kill(starts.pid, signal.SIGKILL)
