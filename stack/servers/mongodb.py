"""SecantusDB, which speaks MongoDB's wire protocol: GPL, so a process of its own that nothing of ours imports."""

import struct
import subprocess
from pathlib import Path
from typing import Final

from stack.addresses import MONGODB_PORT
from stack.home import Home
from stack.program import Check, Program
from stack.servers import python_package
from stack.servers.container import Image
from stack.servers.server import MissingServerError, Server
from stack.watched import Progress

REQUIREMENT: Final = "secantusdb==0.7.0b3"
# It goes by a key only where that is the whole filter. Dapr asks for `$and: [key, not yet expired]`, and each read went
# through all documents: with thousands of them a busy machine took longer than the policy allows. Any clause may name
# the candidates, since the whole filter is held against each of them afterwards.
_SERVE: Final = """
from secantus.cli import main
from secantus.storage import Storage
by_index = Storage._try_index_id_keys
def by_a_clause(self, db, coll, filter, **options):
    clauses = filter["$and"] if filter and list(filter) == ["$and"] else [filter]
    found = (by_index(self, db, coll, clause, **options) for clause in clauses)
    return next((keys for keys in found if keys is not None), None)
Storage._try_index_id_keys = by_a_clause
main()
"""
# Users are made where no password is asked for yet: on a server that nobody else knows of, ended before ours begins.
_ADD_USER: Final = """
import os, subprocess, sys
import pymongo
server = subprocess.Popen([sys.executable, "-S", "-c", sys.argv[1], *sys.argv[2:]])
try:
    client = pymongo.MongoClient(f"mongodb://127.0.0.1:{sys.argv[3]}/?directConnection=true")
    client.admin.command({"createUser": os.environ["NAME"], "pwd": os.environ["PASSWORD"], "roles": ["root"]})
finally:
    server.terminate()
    server.wait()
"""
_BODY: Final = b"\x10hello\x00\x01\x00\x00\x00\x02$db\x00\x06\x00\x00\x00admin\x00\x00"
_DOCUMENT: Final = struct.pack("<i", len(_BODY) + 4) + _BODY
# OP_MSG with one document, {hello: 1, $db: "admin"}: what a server answers before a password is given.
_HELLO: Final = struct.pack("<iiiiIb", 21 + len(_DOCUMENT), 1, 0, 2013, 0, 0) + _DOCUMENT


def programs(home: Home, secrets: dict[str, str], progress: Progress) -> list[Program]:
    """Make the one user if the data folder is new, and describe the server."""
    packages = python_package.folder(REQUIREMENT, progress)
    port, data = home.port(MONGODB_PORT), home.data / "mongodb"
    options = ["--port", str(port), "--storage-path", str(data), "--standalone", "--cache-size", "256M"]
    if not (home.data / "mongodb.user").exists():
        _add_user(home, packages, options, secrets)
    argv, env = python_package.command(packages, _SERVE)
    server = Program(
        name="mongodb",
        kind="server",
        # a document that was accepted is on the disk
        argv=[*argv, *options, "--auth", "--sync-on-commit"],
        env=env,
        cwd=str(home.data),
        ports={"mongodb": port},
        check=Check(via="tcp", port=port),
    )
    return [server]


def _add_user(home: Home, packages: Path, options: list[str], secrets: dict[str, str]) -> None:
    argv, env = python_package.command(packages, _ADD_USER)
    account = {"NAME": secrets["mongodb-user"], "PASSWORD": secrets["mongodb-password"]}
    done = subprocess.run(
        [*argv, _SERVE, *options], env=env | account, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise MissingServerError(f"mongodb: its user could not be made: {lines[-1]}")
    (home.data / "mongodb.user").touch()


SERVER = Server(
    name="mongodb",
    variable="SIDECART_MONGODB_ADDRESS",
    ports={"mongodb": MONGODB_PORT},
    processes=frozenset({"mongodb"}),
    missing=python_package.missing,
    programs=programs,
    image=Image(
        name="mongo:8",
        port=27017,
        data="/data/db",
        env=lambda secrets, _: {
            "MONGO_INITDB_ROOT_USERNAME": secrets["mongodb-user"],
            "MONGO_INITDB_ROOT_PASSWORD": secrets["mongodb-password"],
        },
        say=_HELLO,
    ),
)
