"""The whole system for a test: a home and ports of its own, up at the start, down at the end whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from stack import plan, secrets_file, status, supervisor, tokens, topology
from stack.home import CHECKOUT, Home
from stack.logs import tail
from stack.ports import is_free
from tests.support import offsets
from tests.support.orphans import seen_to
from tests.support.outside import Outside

UP_DEADLINE_S = 900
# a store is let go a minute after it was left, at the earliest
COMMAND_DEADLINE_S = 300
STOP_DEADLINE_S = 30
PATIENCE_S = 90.0
"""What takes a second on a quiet machine may take a minute beside others; only who waits in vain waits so long."""
TAIL_LINES = 8
ATTEMPTS = 3

T = TypeVar("T")


class System(Outside):
    """`with System() as system:`; *file* is another topology than the checkout's."""

    def __init__(self, file: Path = topology.DEFAULT_FILE, *, env: dict[str, str] | None = None) -> None:
        self.file = file
        super().__init__()
        self._extra_env = env or {}
        self._cleanup = ExitStack()
        self.root = Path()
        self.offset = 0

    def __enter__(self) -> Self:
        self._settle()
        try:
            self.up()
        except BaseException:
            self.close()
            raise
        return self

    @contextmanager
    def placed(self) -> Generator[Self]:
        """Give the system a home and ports without starting it; what a test starts is stopped at the end."""
        self._settle()
        try:
            yield self
        finally:
            self.close()

    def _settle(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="sidecart-", dir="/tmp"))
        self._cleanup.callback(shutil.rmtree, self.root, ignore_errors=True)
        self.take_offset()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            print(self.log_tails())
        self.close()

    def close(self) -> None:
        """Take everything down; raise if that fails, after the directory is gone."""
        with self._cleanup:
            self.sidecart("down")

    def take_offset(self) -> None:
        """Hold, until the end, an offset that no other test holds and whose ports are all free."""
        self.offset, held = offsets.take(self._is_free)
        self._cleanup.callback(held.close)
        self._cleanup.enter_context(seen_to(self._command("down"), CHECKOUT, self.env))

    def _is_free(self, offset: int) -> bool:
        ports = plan.ports(Home(root=self.root, offset=offset), topology.load(self.file))
        return all(is_free(port) for port in ports.values())

    def up(self, *options: str) -> None:
        """Start and return when all is ready; a port that was taken meanwhile moves the system to another offset."""
        for attempt in range(ATTEMPTS):
            done = self.sidecart("up", "--detach", "--file", str(self.file), *options, check=False)
            if done.returncode == 0:
                return
            if "is held by" not in done.stderr or attempt == ATTEMPTS - 1:
                raise AssertionError(f"sidecart up: {done.stderr}\n{done.stdout}\n{self.log_tails()}")
            self.take_offset()

    @property
    def env(self) -> dict[str, str]:
        """The environment in which `sidecart` means this system."""
        return {
            **os.environ,
            **self._extra_env,
            "SIDECART_HOME": str(self.root),
            "SIDECART_PORT_OFFSET": str(self.offset),
        }

    def sidecart(
        self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of the command line, with *env* on top; a failure raises with what it said."""
        done = subprocess.run(
            self._command(*arguments),
            cwd=CHECKOUT,
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_DEADLINE_S if arguments[0] == "up" else COMMAND_DEADLINE_S,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"sidecart {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "stack.cli", *arguments]

    def port(self, fixed: int) -> int:
        """A fixed port number as this system has it."""
        return fixed + self.offset

    @property
    def edge(self) -> str:
        """Where clients call: `{edge}/v1.0/invoke/orders/method/orders`."""
        return f"http://127.0.0.1:{self.port(3500)}"

    def invoke_url(self, app_id: str, path: str) -> str:
        """A service's path as a client calls it through the edge."""
        return f"{self.edge}/v1.0/invoke/{app_id}/method{path}"

    def token(self, role: str, user: str | None = None, ttl_s: int | None = None) -> str:
        """An access token for *role*."""
        options = (["--user", user] if user else []) + (["--ttl", str(ttl_s)] if ttl_s else [])
        return self.sidecart("token", "--role", role, *options).stdout.strip()

    def secret(self, key: str) -> str:
        """One value of secrets.json."""
        return str(json.loads((self.root / "secrets.json").read_text())[key])

    def sidecar_token(self, app_id: str) -> str:
        """What a service sends to its own sidecar."""
        return tokens.for_sidecar(secrets_file.load(Home(self.root, self.offset)), app_id)

    def app_token(self, app_id: str) -> str:
        """What a sidecar sends to its own app."""
        return tokens.for_app(secrets_file.load(Home(self.root, self.offset)), app_id)

    def status(self) -> dict[str, dict[str, Any]]:
        """What `sidecart status --json` says of processes, by process name, without a new interpreter for each look."""
        found = status.processes(Home(root=self.root, offset=self.offset))
        return {process.name: process.model_dump() for process in found}

    def pids(self) -> dict[str, int]:
        """The pid of each process that runs."""
        return {name: process["pid"] for name, process in self.status().items() if process["pid"]}

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Kill one process, and prove that it landed by returning the pid it had."""
        pid = self.pids()[name]
        os.kill(pid, number)
        return pid

    @contextmanager
    def without(self, name: str) -> Generator[None]:
        """Stop one process in an orderly way, and start it again at the end, whatever happened."""
        client = supervisor.Supervisor(Home(root=self.root, offset=self.offset))
        client.stop([name], STOP_DEADLINE_S)
        try:
            yield
        finally:
            client.start(name)

    def wait_ready(self, name: str, *, not_pid: int | None = None, deadline_s: float = PATIENCE_S) -> dict[str, Any]:
        """Return the process once it is ready (under another pid than *not_pid*)."""

        def ready() -> dict[str, Any] | None:
            process = self.status()[name]
            return process if process["ready"] and process["pid"] != not_pid else None

        return wait_for(ready, f"{name} to be ready", deadline_s)

    def log_tails(self) -> str:
        """The last lines of every log, for a person who reads a failed test."""
        parts: list[str] = []
        for path in sorted((self.root / "logs").glob("*.log")):
            parts += [f"--- {path.name}", *tail(path, TAIL_LINES)]
        return "\n".join(parts)


def wait_for(question: Callable[[], T | None], what: str, deadline_s: float = PATIENCE_S, every_s: float = 0.1) -> T:
    """Ask until the answer is neither None nor False; raise when the deadline passes."""
    limit = time.monotonic() + deadline_s
    while True:
        answer = question()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() > limit:
            raise AssertionError(f"waited {deadline_s:.0f} s in vain for {what}")
        time.sleep(every_s)
