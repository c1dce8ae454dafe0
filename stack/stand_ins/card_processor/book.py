import secrets
import sqlite3
import time
from typing import Any, Final

import orjson

from stack.stand_ins.card_processor.errors import invalid, missing

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    parent TEXT, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (parent, seq) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS labels (
    key TEXT, value TEXT, id TEXT, PRIMARY KEY (key, value, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, endpoint TEXT NOT NULL, due REAL NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deliveries_by_due ON deliveries (due);
CREATE TABLE IF NOT EXISTS late_failures (refund TEXT PRIMARY KEY, due REAL NOT NULL) WITHOUT ROWID;
"""
_NAMES: Final = {
    "pi": "payment_intent",
    "ch": "charge",
    "re": "refund",
    "evt": "event",
    "we": "webhook endpoint",
}
_OPERATORS: Final = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

Json = dict[str, Any]


def new_id(kind: str) -> str:
    """Return an id that says what it names."""
    return f"{kind}_{secrets.token_hex(12)}"


def now() -> int:
    """Return the time in Unix seconds."""
    return int(time.time())


class Book:
    """Everything the processor recorded: JSON documents by id, in the order they came."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def add(self, kind: str, thing: Json, parent: str | None = None) -> None:
        """Record a new object; its metadata becomes searchable."""
        self.db.execute(
            "INSERT INTO objects (id, kind, created, parent, body) VALUES (?, ?, ?, ?, ?)",
            (thing["id"], kind, thing["created"], parent, orjson.dumps(thing)),
        )
        labels = [(key, value, thing["id"]) for key, value in thing.get("metadata", {}).items()]
        if labels:
            self.db.executemany("INSERT INTO labels VALUES (?, ?, ?)", labels)

    def save(self, thing: Json) -> None:
        """Record an object's new state."""
        self.db.execute("UPDATE objects SET body = ? WHERE id = ?", (orjson.dumps(thing), thing["id"]))

    def remove(self, key: str) -> None:
        """Forget an object."""
        self.db.execute("DELETE FROM objects WHERE id = ?", (key,))

    def get(self, kind: str, key: str, param: str = "id") -> Json:
        """Return an object, or refuse because there is none."""
        row = self.db.execute("SELECT body FROM objects WHERE id = ? AND kind = ?", (key, kind)).fetchone()
        if row is None:
            raise missing(_NAMES[kind], key, param)
        found: Json = orjson.loads(row[0])
        return found

    def listed(
        self,
        kind: str,
        *,
        limit: int,
        parent: str | None = None,
        created: dict[str, int] | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> tuple[list[Json], bool]:
        """Return objects, newest first, and whether there are more; *after* and *before* are ids."""
        where, values = ["kind = ?"], [kind]
        if parent is not None:
            where.append("parent = ?")
            values.append(parent)
        for operator, seconds in (created or {}).items():
            where.append(f"created {_OPERATORS[operator]} ?")
            values.append(str(seconds))
        for key, sign in ((after, "<"), (before, ">")):
            if key is not None:
                where.append(f"seq {sign} ?")
                values.append(str(self._place(key)))
        order = "ASC" if before is not None else "DESC"
        query = f"SELECT body FROM objects WHERE {' AND '.join(where)} ORDER BY seq {order} LIMIT ?"  # noqa: S608
        found = [orjson.loads(row[0]) for row in self.db.execute(query, (*values, limit + 1))]
        page = found[:limit]
        return (page[::-1] if before is not None else page), len(found) > limit

    def labelled(self, kind: str, key: str, value: str) -> list[Json]:
        """Return the objects whose metadata has *key* = *value*, newest first."""
        rows = self.db.execute(
            "SELECT o.body FROM labels l JOIN objects o ON o.id = l.id"
            " WHERE l.key = ? AND l.value = ? AND o.kind = ? ORDER BY o.seq DESC",
            (key, value, kind),
        )
        return [orjson.loads(row[0]) for row in rows]

    def _place(self, key: str) -> int:
        row = self.db.execute("SELECT seq FROM objects WHERE id = ?", (key,)).fetchone()
        if row is None:
            raise invalid(f"No such object: '{key[:80]}'", "starting_after", "resource_missing")
        return int(row[0])
