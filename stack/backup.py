"""A copy of the running system in one file: what it was at one moment, for all services alike.

The services' databases lie in one cluster, so that one base backup holds them all as of the same moment. What the
broker holds is no part of it in the sense that matters: after a restore `sidecart replay` tells again what was told.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel

from stack import postgres, resources, stores, valkey
from stack.component_files import holder
from stack.errors import StackError
from stack.home import Home
from stack.progress import Progress
from stack.secrets_file import POSTGRES_PORT

FORMAT: Final = 1
ABOUT: Final = "about.json"
BASE: Final = "postgres.tar"
# Where roles may keep what must survive; everything else is told again by replay.
_COVERED: Final = {"order-details": "state.postgresql", "undelivered": "state.redis"}


class About(BaseModel):
    """What an archive holds, and as of when."""

    format: int = FORMAT
    taken_at: datetime
    choices: dict[str, str]


def take(home: Home, target: Path, progress: Progress) -> About:
    """Write the archive, with mode 0600: it holds the keys that open what is sealed in it."""
    _refuse_elsewhere(home)
    if target.exists():
        raise StackError(f"{target} exists already: a backup is never written over")
    about = About(taken_at=datetime.now(UTC), choices=resources.choices(home))
    with tempfile.TemporaryDirectory(dir=home.run) as folder:
        work = Path(folder)
        with progress.stage("databases"):
            _base_backup(home, work / BASE)
        with progress.stage("streams and documents of Valkey"):
            valkey.copy_to(home, work / "valkey")
        with progress.stage("what the stand-ins keep"):
            # Last: the outside world may know more than the restored system, never less.
            _copy_stand_ins(home, work / "stand-ins")
        shutil.copyfile(home.secrets, work / "secrets.json")
        (work / ABOUT).write_text(about.model_dump_json(indent=2))
        _pack(work, target)
    return about


def restore(home: Home, source: Path, progress: Progress) -> About:
    """Lay the archive out in a home that has no data yet; `sidecart up` goes on from there."""
    if home.secrets.exists() or any(home.data.glob("*")):
        raise StackError(f"{home.root} holds a system already: restore into an empty SIDECART_HOME")
    about = _read_about(source)
    home.make_directories()
    with progress.stage("unpacking"), tempfile.TemporaryDirectory(dir=home.root) as folder, _open(source) as archive:
        archive.extractall(folder, filter="data")
        _lay_out(home, Path(folder))
    resources.keep_choices(home, about.choices)
    return about


def _refuse_elsewhere(home: Home) -> None:
    """Refuse where documents lie in a store that cannot be copied from here."""
    for role, covered in _COVERED.items():
        kind = str(yaml.safe_load(stores.current(home, role).read_text())["spec"]["type"])
        if kind != covered or holder(home, f"{role}-previous"):
            raise StackError(
                f"{role} is kept in {kind}, or on the way to it: back that store up with its own means, or "
                f"`sidecart swap {role}={covered.removeprefix('state.')}` and `sidecart state finish` first"
            )


def _base_backup(home: Home, target: Path) -> None:
    command = [str(postgres.binary("pg_basebackup")), "-h", str(postgres.directory(home)), "-U", "postgres"]
    command += [
        "-p",
        str(home.port(POSTGRES_PORT)),
        "-D",
        "-",
        "-F",
        "tar",
        "-X",
        "fetch",
        "-c",
        "fast",
        "--no-password",
    ]
    with target.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise StackError(f"postgres: pg_basebackup failed: {lines[-1]}")


def _copy_stand_ins(home: Home, target: Path) -> None:
    for database in sorted(home.data.glob("*/*.db")):
        copy = target / database.relative_to(home.data)
        copy.parent.mkdir(parents=True)
        with closing(sqlite3.connect(database)) as origin, closing(sqlite3.connect(copy)) as taken:
            origin.backup(taken)


def _pack(work: Path, target: Path) -> None:
    """Write beside the target and rename: half an archive never has a backup's name."""
    partial = target.with_name(f"{target.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
            # First, so that whoever opens it learns at once what it is.
            for path in sorted(work.iterdir(), key=lambda path: path.name != ABOUT):
                archive.add(path, arcname=path.name)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)


def _open(source: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(source, mode="r:gz")
    except (OSError, tarfile.TarError) as error:
        raise StackError(f"{source}: no backup that can be read: {error}") from error


def _read_about(source: Path) -> About:
    with _open(source) as archive:
        try:
            about = About.model_validate_json((archive.extractfile(ABOUT) or io.BytesIO()).read())
        except (KeyError, ValueError, OSError, tarfile.TarError) as error:
            raise StackError(f"{source}: no backup of a Sidecart system: it holds no readable {ABOUT}") from error
    if about.format != FORMAT:
        raise StackError(f"{source}: written in format {about.format}; this release reads format {FORMAT}")
    return about


def _lay_out(home: Home, unpacked: Path) -> None:
    """Move the parts to their places, the secrets last: a home without them counts as empty and may be tried again."""
    cluster = postgres.directory(home)
    cluster.mkdir(mode=0o700)
    with tarfile.open(unpacked / BASE) as base:
        base.extractall(cluster, filter="data")
    if user := postgres.server_user():
        for path in [cluster, *cluster.rglob("*")]:
            shutil.chown(path, user)
    for stand_in in (unpacked / "stand-ins").iterdir():
        shutil.move(stand_in, home.data / stand_in.name)
    shutil.move(unpacked / "valkey", home.data / "valkey")
    shutil.move(unpacked / "secrets.json", home.secrets)
    home.secrets.chmod(0o600)


def since(about: About) -> str:
    """Return from when facts are to be told again: what was on its way when the copy was taken."""
    return time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(about.taken_at.timestamp() - 300))
