"""Which replicas sidecars draw, in the table that their name resolution keeps."""

import sqlite3

import pytest

from stack import names
from stack.home import Home
from stack.program import Check, Program

# as the runtime's own first migration makes it
HOSTS = """CREATE TABLE hosts (
    registration_id TEXT NOT NULL PRIMARY KEY, address TEXT NOT NULL, app_id TEXT NOT NULL,
    namespace TEXT NOT NULL, last_update INTEGER NOT NULL);
CREATE UNIQUE INDEX hosts_address_idx ON hosts (address);"""
DRAWN = "SELECT address FROM hosts WHERE unixepoch() - last_update < 8 ORDER BY address"
HERE, THERE = "127.0.0.1:5502", "127.0.0.1:5602"


def sidecar(port: int) -> Program:
    check = Check(via="http", port=1)
    return Program(name="orders-daprd", kind="sidecar", argv=[], ports={"internal_grpc": port}, check=check)


class Names:
    """What sidecars do to the table."""

    def __init__(self, home: Home) -> None:
        self._db = sqlite3.connect(home.run / "names.db", isolation_level=None)
        self._db.executescript(HOSTS)

    def register(self, address: str, id_: str) -> None:
        self._db.execute("REPLACE INTO hosts VALUES (?, ?, 'orders', '', unixepoch())", (id_, address))

    def renew(self, address: str, id_: str) -> int:
        query = "UPDATE hosts SET last_update = unixepoch() WHERE registration_id = ? AND address = ?"
        return self._db.execute(query, (id_, address)).rowcount

    def drawn(self) -> list[str]:
        return [row[0] for row in self._db.execute(DRAWN)]


@pytest.fixture
def known(home: Home) -> Names:
    found = Names(home)
    found.register(HERE, "a")
    found.register(THERE, "b")
    return found


def test_who_is_held_is_not_drawn_whatever_the_sidecar_does(home: Home, known: Names) -> None:
    with names.held(home, [sidecar(5502)]):
        assert known.drawn() == [THERE]
        # none renewed means "registration lost" to a sidecar, which ends then
        assert known.renew(HERE, "a") == 1
        assert known.drawn() == [THERE]
        known.register(HERE, "c")
        assert known.drawn() == [THERE]
        assert known.renew(THERE, "b") == 1
        assert known.drawn() == [THERE]


def test_who_is_ready_is_drawn_at_once(home: Home, known: Names) -> None:
    with names.held(home, [sidecar(5502)]):
        known.register(HERE, "c")
    assert known.drawn() == [HERE, THERE]
    assert known.renew(HERE, "c") == 1


def test_who_has_gone_is_not_drawn_again(home: Home, known: Names) -> None:
    with names.held(home, [sidecar(5602)]):
        names.forget(home, [sidecar(5602)])
    assert known.drawn() == [HERE]
