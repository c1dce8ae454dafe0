"""A proxy between two sidecars: callers are led there by the file of names that they look one another up in."""

import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.proxies import Link, Proxies
from tests.support.system import System

A_DAY_S = 86_400


@dataclass(frozen=True)
class Detour:
    """Leads whoever calls *app_id* over *link*; the certificates on both sides are the sidecars' own."""

    names: Path
    app_id: str
    link: Link

    def lead(self) -> None:
        """Hide the sidecar's own entry, which it writes anew when its runtime starts anew, behind the proxy's."""
        with closing(sqlite3.connect(self.names, timeout=5)) as names, names:
            names.execute("UPDATE hosts SET app_id = ? WHERE app_id = ?", (f"{self.app_id} itself", self.app_id))
            row = (f"to-{self.app_id}", f"127.0.0.1:{self.link.port}", self.app_id, "", int(time.time()) + A_DAY_S)
            names.execute("REPLACE INTO hosts VALUES (?, ?, ?, ?, ?)", row)

    def end(self) -> None:
        with closing(sqlite3.connect(self.names, timeout=5)) as names, names:
            names.execute("DELETE FROM hosts WHERE app_id = ? AND registration_id LIKE 'to-%'", (self.app_id,))
            names.execute("UPDATE hosts SET app_id = ? WHERE app_id = ?", (self.app_id, f"{self.app_id} itself"))


@contextmanager
def detour(system: System, proxies: Proxies, app_id: str) -> Generator[Detour]:
    """Lead every call to *app_id* over a proxy until the block ends."""
    file = system.root / "run" / "names.db"
    with closing(sqlite3.connect(file, timeout=5)) as names:
        ((address,),) = names.execute("SELECT address FROM hosts WHERE app_id = ?", (app_id,)).fetchall()
    found = Detour(file, app_id, proxies.link(f"to-{app_id}", int(address.rpartition(":")[2])))
    found.lead()
    try:
        yield found
    finally:
        found.end()
