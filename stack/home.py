"""Where a system lives: its directory, its port offset and the checkout that it runs."""

import os
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError

CHECKOUT = Path(__file__).resolve().parent.parent
HIGHEST_FIXED_PORT = 16379
HIGHEST_OFFSET = 65535 - HIGHEST_FIXED_PORT
# A Unix socket's path holds 107 bytes; the longest of ours is data/postgres/.s.PGSQL.NNNNN.
LONGEST_HOME = 75


def existing(folder: Path) -> Path:
    """Return *folder*, or the nearest above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder


@dataclass(frozen=True)
class Home:
    """The paths below one `SIDECART_HOME`; nothing is created by asking for them."""

    root: Path
    offset: int

    @property
    def secrets(self) -> Path:
        """The file of the `secrets` store."""
        return self.root / "secrets.json"

    @property
    def resources(self) -> Path:
        """The one folder that every sidecar watches."""
        return self.root / "resources"

    @property
    def config(self) -> Path:
        """A Configuration per app-id, and Sentry's."""
        return self.root / "config"

    @property
    def trust(self) -> Path:
        """The certificate authority's key and certificates."""
        return self.root / "trust"

    @property
    def data(self) -> Path:
        """What has to survive: databases, streams, what stand-ins received."""
        return self.root / "data"

    @property
    def run(self) -> Path:
        """What belongs to one run: sockets, records, the supervisor's configuration."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def programs(self) -> Path:
        """A description of each process."""
        return self.run / "programs"

    @property
    def starts(self) -> Path:
        """When each process was started, and under which pid."""
        return self.run / "starts"

    @property
    def supervisor_socket(self) -> Path:
        """Where the supervisor answers."""
        return self.run / "supervisor.sock"

    def port(self, fixed: int) -> int:
        """Return *fixed* shifted by this system's offset."""
        return fixed + self.offset

    def log(self, name: str) -> Path:
        """Return the file that holds everything *name* prints."""
        return self.logs / f"{name}.log"

    def put(self, path: Path, text: str) -> None:
        """Replace *path* in one step: who watches or reads it never sees half a file."""
        temporary = self.run / f"{path.name}.new"
        temporary.write_text(text)
        temporary.replace(path)

    @property
    def usable(self) -> bool:
        """Tell whether a system can live here, or in a folder that can still be made here."""
        folder = existing(self.root)
        return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)

    def make_directories(self) -> None:
        """Create what is missing; raise `StackError` where that cannot be."""
        try:
            self._make_directories()
        except OSError as error:
            said = f"SIDECART_HOME {self.root} cannot be used: {error.strerror}: {error.filename}"
            raise StackError(f"{said}: set it to a folder of yours") from error

    def _make_directories(self) -> None:
        """Only the owner may look inside, but a database user may pass through."""
        for path in (self.root, self.resources, self.config, self.trust, self.data, self.programs, self.starts):
            path.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        # As root the database runs under a user of its own, which has to reach data/ without reading the rest.
        passage = 0o711 if os.geteuid() == 0 else 0o700
        for path in (self.root, self.data):
            path.chmod(passage)
        for path in (self.run, self.trust, self.logs):
            path.chmod(0o700)


def current_home() -> Home:
    """Read the environment; raise `StackError` when a value in it cannot be used."""
    raw = os.environ.get("SIDECART_PORT_OFFSET", "").strip() or "0"
    if not raw.isascii() or not raw.isdigit() or int(raw) > HIGHEST_OFFSET:
        raise StackError(
            f"SIDECART_PORT_OFFSET is {raw!r}: give a whole number from 0 to {HIGHEST_OFFSET}, or unset it"
        )
    root = Path(os.environ.get("SIDECART_HOME") or "~/.sidecart").expanduser().absolute()
    if len(os.fsencode(root)) > LONGEST_HOME:
        raise StackError(f"SIDECART_HOME {root} is longer than {LONGEST_HOME} bytes: sockets need a shorter path")
    return Home(root=root, offset=int(raw))
