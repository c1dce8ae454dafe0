import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from stack.stand_ins.database import transaction

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL,
    body BLOB NOT NULL, view BLOB);
CREATE TABLE IF NOT EXISTS recipients (
    address TEXT, message_id INTEGER, PRIMARY KEY (address, message_id)) WITHOUT ROWID;
"""
_CHUNK: Final = 200
_COLUMNS: Final = "m.id, m.at, m.sender, m.recipients, m.body, m.view"


class Messages:
    """What a provider received, oldest first. *parse* turns a stored body into the fields shown.

    Receiving must be cheap and reading is rare, so bodies are parsed when first read and kept parsed.
    """

    def __init__(self, db: sqlite3.Connection, parse: Callable[[bytes], dict[str, Any]]) -> None:
        self._db = db
        self._parse = parse

    def add(self, sender: str, recipients: Iterable[str], body: bytes) -> int:
        """Keep a message; it has survived a kill of this process once this returns its id."""
        everyone = list(dict.fromkeys(recipients))
        with transaction(self._db):
            key = self._db.execute(
                "INSERT INTO messages (at, sender, recipients, body) VALUES (?, ?, ?, ?)",
                (time.time(), sender, orjson.dumps(everyone).decode(), body),
            ).lastrowid
            self._db.executemany(
                "INSERT OR IGNORE INTO recipients VALUES (?, ?)", [(address.casefold(), key) for address in everyone]
            )
        return key or 0

    def clear(self) -> None:
        """Forget every message; ids are not used again."""
        with transaction(self._db):
            self._db.execute("DELETE FROM recipients")
            self._db.execute("DELETE FROM messages")

    def count(self, to: str | None) -> int:
        """Return how many messages went to *to*, or to anyone."""
        source, values = _source(to)
        return int(self._db.execute(f"SELECT count(*) FROM {source}", values).fetchone()[0])  # noqa: S608

    def page(self, to: str | None, after: int, limit: int) -> list[dict[str, Any]]:
        """Return at most *limit* messages with an id above *after*, oldest first."""
        source, values = _source(to)
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM {source} AND m.id > ? ORDER BY m.id LIMIT ?",  # noqa: S608
            (*values, after, limit),
        ).fetchall()
        return [self._view(row) for row in rows]

    def before_newest(self, to: str | None, limit: int) -> int:
        """Return the id after which exactly the newest *limit* messages follow."""
        source, values = _source(to)
        row = self._db.execute(
            f"SELECT m.id FROM {source} ORDER BY m.id DESC LIMIT 1 OFFSET ?",  # noqa: S608
            (*values, limit),
        ).fetchone()
        return int(row[0]) if row else 0

    async def stream(self, to: str | None, after: int | None, limit: int | None) -> AsyncIterator[bytes]:
        """Yield the answer of `GET /messages` in chunks, so that a hundred thousand mails need no memory."""
        left = limit if limit is not None else 1 << 60
        last = after if after is not None else self.before_newest(to, left)
        yield b'{"total":%d,"items":[' % self.count(to)
        comma = b""
        while left > 0 and (items := self.page(to, last, min(left, _CHUNK))):
            yield comma + orjson.dumps(items)[1:-1]
            comma, last, left = b",", items[-1]["id"], left - len(items)
        yield b"]}"

    def _view(self, row: tuple[int, float, str, str, bytes, bytes | None]) -> dict[str, Any]:
        key, at, sender, recipients, body, view = row
        if view is None:
            view = orjson.dumps(self._parse(body))
            self._db.execute("UPDATE messages SET view = ? WHERE id = ?", (view, key))
        stamp = datetime.fromtimestamp(at, UTC).isoformat()
        shown: dict[str, Any] = {"id": key, "at": stamp, "from": sender, "recipients": orjson.loads(recipients)}
        shown.update(orjson.loads(view))
        return shown


def _source(to: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the FROM clause, open for more conditions, and its values."""
    if to is None:
        return "messages m WHERE true", ()
    return "recipients r JOIN messages m ON m.id = r.message_id WHERE r.address = ?", (to.casefold(),)
