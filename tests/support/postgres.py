"""A real PostgreSQL for the tests of one session, with the roles and rights that the stack gives."""

import itertools
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg.sql import SQL, Identifier

from apps.chassis import migrate, schema
from stack import databases, postgres
from tests.support import children

_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "jit": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}
_START_S = 30


@dataclass
class Cluster:
    """One server; `database_for` hands out fresh databases made from a migrated template."""

    port: int
    _templates: set[str] = field(default_factory=set)
    _roles: set[str] = field(default_factory=set)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def connect(self, role: str, database: str) -> psycopg.Connection:
        return psycopg.connect(self.url(role, database), autocommit=True)

    def database_for(self, service: str, revision: str = "head") -> str:
        """Return the runtime role's address of a fresh database with *service*'s migrations up to *revision*."""
        template = f"{service}_template_{revision}"
        if template not in self._templates:
            self._make_template(service, template, revision)
        name = f"{service}_{next(self._count)}"
        with self.connect("postgres", "postgres") as server:
            create = SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}")
            server.execute(create.format(Identifier(name), Identifier(template), Identifier(f"{service}_owner")))
        return self.url(service, name)

    def bare_database(self) -> str:
        """Return the address of a fresh database with the chassis' own tables and nothing else."""
        name = f"bare_{next(self._count)}"
        with self.connect("postgres", "postgres") as server:
            server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        with self.connect("postgres", name) as inside:
            for statement in (*schema.statements_v1(), *schema.statements_v2()):
                inside.execute(statement.encode())
        return self.url("postgres", name)

    def _make_template(self, service: str, template: str, revision: str) -> None:
        owner = f"{service}_owner"
        with self.connect("postgres", "postgres") as server:
            if service not in self._roles:
                for role in (owner, service):
                    server.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))
                self._roles.add(service)
            server.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(template), Identifier(owner)))
        with self.connect("postgres", template) as inside:
            inside.execute(databases._rights(owner, service))
        migrate.upgrade(service, self.url(owner, template), revision)
        self._templates.add(template)


def premises(prefix: str) -> tuple[str | None, Path, Path]:
    """Return who runs a server, a directory of its own and the data directory in it, which that user reaches."""
    directory, user = Path(tempfile.mkdtemp(prefix=prefix)), postgres.server_user()
    data = directory / "data"
    data.mkdir(mode=0o700)
    directory.chmod(0o755)
    if user:
        shutil.chown(data, user)
        postgres._let_reach(user, data)
    return user, directory, data


@contextmanager
def cluster(**settings: str) -> Iterator[Cluster]:
    """Run a server in a directory of its own, with *settings* on top of the tests', and leave nothing behind."""
    user, directory, data = premises("sidecart-pg-")
    server: subprocess.Popen[bytes] | None = None
    try:
        initdb = ("-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        _run(user, directory, "initdb", "-D", str(data), *initdb)
        port = _free_port()
        server = _start(user, data, port, settings)
        yield Cluster(port)
    finally:
        if server:
            server.send_signal(signal.SIGQUIT)
            server.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _start(
    user: str | None, data: Path, port: int, settings: Mapping[str, str] = MappingProxyType({})
) -> subprocess.Popen[bytes]:
    own = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(data)}
    command = [str(postgres.binary("postgres")), "-D", str(data)]
    command += [part for name, value in {**_SETTINGS, **own, **settings}.items() for part in ("-c", f"{name}={value}")]
    with (data / "log").open("wb") as log:
        server = children.start(
            command,
            farewell=signal.SIGQUIT,
            **postgres.identity(user),
            cwd=data,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    limit = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            assert server.poll() is None, (data / "log").read_text()
            assert time.monotonic() < limit, "PostgreSQL did not start in time"
            time.sleep(0.05)
        else:
            return server


def _run(user: str | None, cwd: Path, program: str, *arguments: str) -> None:
    command = [str(postgres.binary(program)), *arguments]
    done = subprocess.run(command, **postgres.identity(user), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
