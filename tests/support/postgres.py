"""A real PostgreSQL for the tests of one session, with the roles and rights that the stack gives."""

import itertools
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from apps.chassis import migrate, schema
from stack import databases, postgres

_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "jit": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}
_START_S = "30"


@dataclass
class Cluster:
    """One server; `database_for` hands out fresh databases made from a migrated template."""

    port: int
    _templates: set[str] = field(default_factory=set)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def connect(self, role: str, database: str) -> psycopg.Connection:
        return psycopg.connect(self.url(role, database), autocommit=True)

    def database_for(self, service: str) -> str:
        """Return the address, for the runtime role, of a fresh database with every migration of *service* applied."""
        template = f"{service}_template"
        if service not in self._templates:
            self._make_template(service, template)
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
            for statement in schema.statements_v1():
                inside.execute(statement.encode())
        return self.url("postgres", name)

    def _make_template(self, service: str, template: str) -> None:
        owner = f"{service}_owner"
        with self.connect("postgres", "postgres") as server:
            for role in (owner, service):
                server.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(role)))
            server.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(template), Identifier(owner)))
        with self.connect("postgres", template) as inside:
            inside.execute(databases._rights(owner, service))
        migrate.upgrade(service, self.url(owner, template))
        self._templates.add(service)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a server in a directory of its own, and leave nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="sidecart-pg-"))
    user = postgres.server_user()
    data = directory / "data"
    data.mkdir(mode=0o700)
    directory.chmod(0o755)
    if user:
        shutil.chown(data, user)
        postgres._let_reach(user, data)
    try:
        _run(
            user,
            directory,
            "initdb",
            "-D",
            str(data),
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "--locale=C.UTF-8",
        )
        port = _free_port()
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        options += f" -p {port} -k {data} -c listen_addresses=127.0.0.1"
        _run(
            user,
            directory,
            "pg_ctl",
            "-D",
            str(data),
            "-o",
            options,
            "-w",
            "-t",
            _START_S,
            "-l",
            str(data / "log"),
            "start",
        )
        yield Cluster(port)
    finally:
        _stop(user, data)
        shutil.rmtree(directory, ignore_errors=True)


def _run(user: str | None, cwd: Path, program: str, *arguments: str) -> None:
    command = [str(postgres.binary(program)), *arguments]
    done = subprocess.run(command, user=user, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()


def _stop(user: str | None, data: Path) -> None:
    if (data / "postmaster.pid").exists():
        _run(user, data, "pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
