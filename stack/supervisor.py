"""The kept process supervisor: its configuration, and calls to it over its Unix socket."""

import shlex
import socket
import sys
import time
import xmlrpc.client
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from stack import launch
from stack.errors import StackError
from stack.home import Home
from stack.program import Program, load_all

CALL_TIMEOUT_S = 10.0
NOT_RUNNING, ALREADY_STARTED = 70, 60
# Supervisor's numbers for states.
STOPPED, RUNNING = {0, 200}, {10, 20, 30}
POLL_S = 0.05
# So long what a sidecar was handed is waited for when it is to go: a batch takes a tenth of that.
SETTLE_S = 1.5
LAUNCHER = Path(launch.__file__)


def write_configuration(home: Home, programs: Iterable[Program]) -> None:
    """Write run/supervisord.conf; output goes straight to logs, so the supervisor carries none of it."""
    sections = [
        f"""[supervisord]
nodaemon=true
silent=true
logfile={home.log("supervisord")}
logfile_maxbytes=5MB
logfile_backups=1
pidfile={home.run}/supervisord.pid
childlogdir={home.logs}
umask=077

[unix_http_server]
file={home.supervisor_socket}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    ]
    sections += [_section(home, program) for program in programs]
    path = home.run / "supervisord.conf"
    # A percent sign would be read as an expansion.
    path.write_text("\n".join(sections).replace("%", "%%"))
    path.chmod(0o600)


def _section(home: Home, program: Program) -> str:
    # startsecs=0: to the supervisor a start always succeeds, so it never gives up; the launcher spaces crashes out.
    command = shlex.join(launcher_command(home.programs / f"{program.name}.json"))
    return f"""[program:{program.name}]
command={command}
autostart=false
autorestart=true
startsecs=0
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_wait_s}
killasgroup=true
stdout_logfile=NONE
stderr_logfile=NONE
"""


def launcher_command(spec: Path) -> list[str]:
    """Return the command that becomes the program of *spec*."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(spec)]


class _Connection(HTTPConnection):
    """HTTP over the supervisor's Unix socket, with a time limit: a stopped supervisor must not hang a command."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.host)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> HTTPConnection:
        """Ignore *host*, which a Unix socket has none of; one connection a call, which `close` ends."""
        connection = _Connection("localhost", timeout=CALL_TIMEOUT_S)
        connection.host = str(self._path)
        self._connection = host, connection
        return connection


class Supervisor:
    """Calls to the supervisor of one home; each failure is a `StackError`."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(home.supervisor_socket))

    def call(self, method: str, *arguments: Any) -> Any:
        """Call `supervisor.METHOD`."""
        try:
            return getattr(self._proxy.supervisor, method)(*arguments)
        except (OSError, HTTPException) as error:
            raise StackError(
                f"the supervisor of {self._home.root} does not answer ({error}): is the system up? `sidecart up`"
            ) from error
        finally:
            self._proxy("close")()

    def answers(self) -> bool:
        """Tell whether there is a supervisor to talk to."""
        try:
            self.call("getState")
        except StackError:
            return False
        return True

    def start(self, name: str) -> None:
        """Start *name* without waiting; one that runs already is left alone."""
        self._tolerate(ALREADY_STARTED, "startProcess", name, False)

    def begin_stop(self, name: str) -> None:
        """Ask *name* to stop without waiting."""
        self._tolerate(NOT_RUNNING, "stopProcess", name, False)

    def stop(self, names: Iterable[str], deadline_s: float) -> None:
        """Ask all *names* to stop at once and wait; the supervisor kills what takes longer than its own limit.

        A sidecar that lingers for its app is asked again: at the first word it ends its subscriptions, at the next all.
        """
        waiting, began = set(names), time.monotonic()
        limit, lingering = began + deadline_s, self._that_linger(names)
        while waiting:
            for name in sorted(waiting):
                state = self.call("getProcessInfo", name)["state"]
                if state in STOPPED:
                    waiting.discard(name)
                elif state in RUNNING:
                    self.begin_stop(name)
                elif name in lingering and time.monotonic() - began > SETTLE_S:
                    self._tolerate(NOT_RUNNING, "signalProcess", name, "TERM")
                # One that just ended by itself is about to be started again: it is asked in the next round.
            if waiting and time.monotonic() > limit:
                raise StackError(f"{', '.join(sorted(waiting))} did not stop within {deadline_s:.0f} s")
            if waiting:
                time.sleep(POLL_S)

    def _that_linger(self, names: Iterable[str]) -> set[str]:
        lingering = {program.name for program in load_all(self._home) if program.lingers}
        return lingering.intersection(names)

    def add(self, name: str) -> None:
        """Take *name* from the rewritten configuration."""
        self.call("reloadConfig")
        self.call("addProcessGroup", name)

    def remove(self, name: str) -> None:
        """Forget the stopped *name*."""
        self.call("removeProcessGroup", name)

    def _tolerate(self, fault: int, method: str, *arguments: Any) -> None:
        try:
            self.call(method, *arguments)
        except xmlrpc.client.Fault as error:
            if error.faultCode != fault:
                raise StackError(f"supervisor: {method} {arguments[0]}: {error.faultString}") from error
