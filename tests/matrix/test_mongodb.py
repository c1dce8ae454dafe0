"""What stands in for MongoDB finds a document by its key, as Dapr asks for it: among many as soon as among few."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import pytest

from stack.home import Home
from stack.servers import mongodb, python_package
from tests.matrix.columns import Column, expected
from tests.support.system import System, wait_for

FEW, MANY = 30, 3_000
READS = 200
# The statements of `state.mongodb`; the driver lies beside the server, in packages of their own.
CLIENT = """
import sys, pymongo
port, user, password, first, last, reads = sys.argv[1:]
address = f"mongodb://{user}:{password}@127.0.0.1:{port}/?directConnection=true&authSource=admin"
documents = pymongo.MongoClient(address).order_details.documents
if int(last) > int(first):
    documents.insert_many({"_id": f"key-{n}", "value": "tea", "_ttl": None} for n in range(int(first), int(last)))
lives = {"$or": [{"_ttl": {"$eq": None}}, {"_ttl": {"$exists": False}}]}
for n in range(int(reads)):
    key = f"key-{n % int(last)}"
    asked = {"$eq": key} if n % 2 else {"$in": [key, "key-of-nothing"]}
    (found,) = documents.find({"$and": [{"_id": asked}, lives]})
    assert found["_id"] == key, found
assert not list(documents.find({"$and": [{"_id": {"$eq": "key-1"}}, {"value": {"$eq": "coffee"}}]}))
"""


@dataclass(frozen=True)
class Store:
    process: psutil.Popen
    arguments: list[str]

    def use(self, first: int, last: int, reads: int) -> float:
        """Add documents *first* to *last*, read some; return the seconds that the server was busy with it."""
        packages = python_package.folder(mongodb.REQUIREMENT, print)
        argv, env = python_package.command(packages, CLIENT)
        before = self.process.cpu_times()
        subprocess.run([*argv, *self.arguments, str(first), str(last), str(reads)], env=env, check=True, timeout=120)
        after = self.process.cpu_times()
        return (after.user + after.system) - (before.user + before.system)


@pytest.fixture
def store() -> Iterator[Store]:
    word = "order-details=mongodb"
    if (why := Column(word, (word,)).missing) is not None:
        assert word not in expected(), why
        pytest.skip(why)
    secrets = {"mongodb-user": "orders", "mongodb-password": "long enough"}
    with System().placed() as system:
        home = Home(root=system.root, offset=system.offset)
        home.make_directories()
        (program,) = mongodb.programs(home, secrets, print)
        env = {**os.environ, **program.env}
        with psutil.Popen(program.argv, env=env, cwd=program.cwd, stdout=sys.stderr) as process:
            try:
                port = program.ports["mongodb"]
                wait_for(lambda: any(it.laddr.port == port for it in process.net_connections()), "the server", 60)
                yield Store(process, [str(port), *secrets.values()])
            finally:
                process.terminate()


def test_a_read_costs_as_much_among_many_documents_as_among_few(store: Store) -> None:
    among_few = store.use(0, FEW, READS)
    store.use(FEW, MANY, 0)
    among_many = store.use(MANY, MANY, READS)
    # each in turn would cost a hundred times as much; the clock of a process goes by hundredths
    assert among_many < 5 * max(among_few, 0.1), (among_few, among_many)
