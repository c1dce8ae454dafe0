"""The file in which sidecars find one another, and the replicas in it that nobody is to be sent to for now.

A sidecar puts itself in before its app listens, and stays in until it is gone. Either way calls would be drawn to a
replica that cannot serve them; an address that is held is registered, and never drawn.
"""

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager

from stack.home import Home
from stack.program import Program

# Sidecars draw among the rows that were renewed within the last seconds; one from 1970 is none of them. The triggers
# stand between a sidecar and its own renewals, which would bring it back every few seconds.
_HOLDING = """
CREATE TABLE IF NOT EXISTS held (address TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS held_from_the_start AFTER INSERT ON hosts
WHEN NEW.address IN (SELECT address FROM held)
BEGIN UPDATE hosts SET last_update = 0 WHERE registration_id = NEW.registration_id; END;
CREATE TRIGGER IF NOT EXISTS held_on AFTER UPDATE OF last_update ON hosts
WHEN NEW.last_update <> 0 AND NEW.address IN (SELECT address FROM held)
BEGIN UPDATE hosts SET last_update = 0 WHERE registration_id = NEW.registration_id; END;
"""
_PATIENCE_S = 10.0


@contextmanager
def held(home: Home, sidecars: Iterable[Program]) -> Generator[None]:
    """Send nobody to *sidecars* in this block; those that are ready at its end are drawn from then on."""
    addresses = _addresses(sidecars)
    with closing(_open(home)) as names:
        names.executescript(_HOLDING)
        names.executemany("INSERT OR IGNORE INTO held VALUES (?)", addresses)
        names.executemany("UPDATE hosts SET last_update = 0 WHERE address = ?", addresses)
        names.commit()
    try:
        yield
    finally:
        with closing(_open(home)) as names:
            names.executemany("DELETE FROM held WHERE address = ?", addresses)
            names.executemany("UPDATE hosts SET last_update = unixepoch() WHERE address = ?", addresses)
            names.commit()


def forget(home: Home, sidecars: Iterable[Program]) -> None:
    """Remove what a sidecar that ended at once has left: nobody is there any more."""
    with closing(_open(home)) as names:
        names.executemany("DELETE FROM hosts WHERE address = ?", _addresses(sidecars))
        names.commit()


def _addresses(sidecars: Iterable[Program]) -> list[tuple[str]]:
    return [(f"127.0.0.1:{sidecar.ports['internal_grpc']}",) for sidecar in sidecars]


def _open(home: Home) -> sqlite3.Connection:
    names = sqlite3.connect(home.run / "names.db", timeout=_PATIENCE_S)
    # as the sidecars write it: who holds the file while a busy disk takes its time holds up everybody's renewal
    names.execute("PRAGMA synchronous = OFF")
    return names
