"""From nothing to ready: what comes up in which order, and what a failure on the way says."""

import subprocess
import time
from pathlib import Path

from stack import (
    addresses,
    databases,
    keeper,
    loaded,
    migrations,
    moving,
    plan,
    ports,
    postgres,
    profiles,
    providers,
    records,
    resources,
    runtime,
    secrets_file,
    topology,
    traces,
)
from stack.check import running
from stack.errors import StackError
from stack.home import Home
from stack.logs import reason
from stack.program import Program
from stack.progress import Progress
from stack.readiness import ready_names
from stack.servers import resolver
from stack.supervisor import Supervisor

READY_DEADLINE_S = 180.0
POLL_S = 0.1
# A process that was started this often without becoming ready will not become so by waiting.
HOPELESS_STARTS = 4
_FIRST_ADMIN = "users-first-admin-password"


class Startup:
    """One `sidecart up`: after `run`, all is ready and `supervisor` is the process to stay with."""

    def __init__(self, home: Home, file: Path, progress: Progress) -> None:
        self._home, self._progress = home, progress
        self._topology = topology.load(file)
        self.supervisor: subprocess.Popen[bytes] | None = None

    @property
    def watched(self) -> subprocess.Popen[bytes]:
        """Return the supervisor that `run` started."""
        if self.supervisor is None:
            raise StackError("the supervisor was never started")
        return self.supervisor

    def run(self, *, reset: bool, profile: str | None) -> None:
        """Bring everything up; on a `StackError` the caller stops what was started."""
        home = self._home
        if killed := keeper.kill_leftovers(home):
            self._progress.say(f"ended what a crashed run had left: {', '.join(killed)}")
        for stale in home.run.glob("names.db*"):
            # Names of a crashed run's replicas would draw calls that nobody answers.
            stale.unlink()
        record = records.begin(home, self._topology.file)
        # Ports first: nobody should wait for a build to hear that one is taken.
        ports.refuse_taken(plan.ports(home, self._topology))
        secrets = secrets_file.ensure(home)
        addresses.remember_given(home)
        traces.remember_given(home)
        providers.remember(home)
        is_first = reset or not any(home.resources.glob("*.yaml"))
        for edited in resources.seed(home, reset=reset):
            self._progress.say(f"{edited} was edited here and stays so (`sidecart up --reset` seeds it anew)")
        if profile:
            chosen = profiles.chosen([profile])
            providers.refuse_strangers(home, chosen.values())
            if not is_first:
                moving.refuse_to_leave(home, chosen)
            resources.choose(home, {role: it.profile for role, it in chosen.items()})
        for finding in running.refuse_unusable(home):
            self._progress.say(f"warning: {finding}")
        with self._progress.stage("looking for the Dapr runtime"):
            found = runtime.resolve(self._progress.say)
        programs = plan.programs(home, self._topology, secrets, found.daprd, found.sentry)
        programs = [*self._servers(secrets), *programs]
        with self._progress.stage("preparing PostgreSQL"):
            for folder in postgres.prepare(home):
                self._progress.say(f"let other users pass through {folder} (as root, PostgreSQL runs under another)")
        self.supervisor = keeper.start_supervisor(home, programs)
        self._start_in_order(programs, secrets)
        if is_first:
            self._progress.say(f"the first administrator's password is {_FIRST_ADMIN} in {home.secrets}")
        record.model_copy(update={"ready": True}).write(home)

    def _servers(self, secrets: dict[str, str]) -> list[Program]:
        """Fetch and describe what the components in use need beyond the servers that always run."""
        found: list[Program] = []
        for server in resolver.needed(self._home):
            with self._progress.stage(f"preparing {server.name}"):
                found += resolver.programs(self._home, server, secrets, self._progress.say)
        return found

    def _start_in_order(self, programs: list[Program], secrets: dict[str, str]) -> None:
        """Servers and stand-ins; then sidecars while the databases are migrated; then the apps."""
        base = [program for program in programs if program.kind in {"server", "stand-in"}]
        sidecars = [program for program in programs if program.kind == "sidecar"]
        apps = [program for program in programs if program.kind == "app"]
        self._start(base)
        with self._progress.stage("servers and stand-ins"):
            self._await([program for program in base if program.kind == "server"])
            resolver.prepare(self._home, [program.name for program in base], secrets)
        with self._progress.stage("databases and migrations"):
            databases.ensure(self._home, secrets)
            self._start(sidecars)
            migrations.run(self._home, self._topology.services, secrets)
        self._start(apps)
        with self._progress.stage("sidecars and apps"):
            self._await(programs)
            loaded.refuse_left_out(self._home, programs)

    def _start(self, programs: list[Program]) -> None:
        client = Supervisor(self._home)
        for program in programs:
            client.start(program.name)

    def _await(self, programs: list[Program]) -> None:
        await_ready(self._home, programs, self._progress)


def await_ready(home: Home, programs: list[Program], progress: Progress) -> None:
    """Return when all are ready; raise `StackError` naming the first that will not be, and its reason."""
    waiting, limit = programs, time.monotonic() + READY_DEADLINE_S
    # Counted from here: what a process did before it was asked to start again is no sign.
    before = {program.name: _starts(home, program) for program in programs}
    while waiting:
        ready = ready_names(home, waiting)
        if ready:
            progress.say(f"ready: {', '.join(sorted(ready))}")
        waiting = [program for program in waiting if program.name not in ready]
        for program in waiting:
            tried = _starts(home, program) - before[program.name]
            _refuse_hopeless(home, program, tried, overdue=time.monotonic() > limit)
        if waiting:
            time.sleep(POLL_S)


def _starts(home: Home, program: Program) -> int:
    starts = records.starts(home, program.name)
    return starts.count if starts else 0


def _refuse_hopeless(home: Home, program: Program, tried: int, *, overdue: bool) -> None:
    if not overdue and tried < HOPELESS_STARTS:
        return
    what = f"is not ready after {READY_DEADLINE_S:.0f} s" if overdue else f"ended {tried} times in a row"
    raise StackError(f"{program.name} {what}: {reason(home, program.name)}: see `sidecart logs {program.name}`")
