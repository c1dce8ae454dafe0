"""A streaming replica of the tests' PostgreSQL."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tests.support.postgres import Cluster, _free_port, _run, _start, premises


@dataclass
class Replica:
    """Follows a cluster, until it is told to lag or to die."""

    port: int
    server: subprocess.Popen[bytes]

    def url(self, primary: str) -> str:
        """Return where the database at the address *primary* is read here."""
        host, _, database = primary.rpartition("/")
        return f"{host.rpartition(':')[0]}:{self.port}/{database}"

    def pause(self) -> None:
        """Apply nothing more for now: what is written meanwhile is not seen here."""
        self._ask("SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        self._ask("SELECT pg_wal_replay_resume()")

    def die(self) -> None:
        self.server.send_signal(signal.SIGQUIT)
        self.server.wait()

    def _ask(self, statement: str) -> None:
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", autocommit=True) as server:
            server.execute(statement.encode())


@contextmanager
def replica(cluster: Cluster) -> Iterator[Replica]:
    """Copy *cluster* and follow it."""
    user, directory, data = premises("sidecart-replica-")
    server: subprocess.Popen[bytes] | None = None
    try:
        source = ("-h", "127.0.0.1", "-p", str(cluster.port), "-U", "postgres")
        _run(
            user, directory, "pg_basebackup", *source, "-D", str(data), "-R", "-X", "stream", "-c", "fast", "--no-sync"
        )
        port = _free_port()
        server = _start(user, data, port)
        yield Replica(port, server)
    finally:
        if server and server.poll() is None:
            server.send_signal(signal.SIGQUIT)
            server.wait()
        shutil.rmtree(directory, ignore_errors=True)
