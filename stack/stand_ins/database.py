import sqlite3
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def open_database(folder: Path, name: str, schema: str) -> sqlite3.Connection:
    """Open, or create, `folder/name.db`, or exit with one line that says why not.

    Statements commit themselves unless inside `transaction`.
    """
    file = folder / f"{name}.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(file, isolation_level=None, cached_statements=256)
        # What a killed process wrote is safe with the kernel; only a dying machine could lose it, and waiting for
        # the disk on each message would make the stand-in slower than the system it serves.
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(schema)
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"{name}: cannot keep data in {file}: {error}. Make it a writable folder, or move the file away.")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Generator[None]:
    """Commit on success, roll back on any error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
