import secrets
import sqlite3
from datetime import UTC, datetime
from typing import Any, Final

import orjson

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS payments (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, requested_on TEXT NOT NULL, reference TEXT,
    body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS payments_by_reference ON payments (reference, seq) WHERE reference IS NOT NULL;
CREATE INDEX IF NOT EXISTS payments_by_time ON payments (requested_on, seq);
CREATE TABLE IF NOT EXISTS actions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, payment TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS actions_by_payment ON actions (payment, seq);
CREATE TABLE IF NOT EXISTS pending (action TEXT PRIMARY KEY, payment TEXT NOT NULL, due REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replies (
    key TEXT, path TEXT, status INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (key, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS workflows (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, workflow TEXT NOT NULL, due REAL NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS deliveries_by_due ON deliveries (due);
"""
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_LENGTH: Final = 26

Json = dict[str, Any]


def new_id(kind: str) -> str:
    """Return an id that says what it names."""
    return f"{kind}_{''.join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))}"


def now() -> str:
    """Return the time as the API shows it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Book:
    """Everything the processor recorded: payments, and what was done to each."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def add(self, payment: Json) -> None:
        """Record a new payment."""
        about = (payment["id"], payment["requested_on"], payment.get("reference"), orjson.dumps(payment))
        self.db.execute("INSERT INTO payments (id, requested_on, reference, body) VALUES (?, ?, ?, ?)", about)

    def save(self, payment: Json) -> None:
        """Record a payment's new state."""
        self.db.execute("UPDATE payments SET body = ? WHERE id = ?", (orjson.dumps(payment), payment["id"]))

    def find(self, key: str) -> Json | None:
        """Return a payment, if there is one."""
        row = self.db.execute("SELECT body FROM payments WHERE id = ?", (key,)).fetchone()
        return None if row is None else dict(orjson.loads(row[0]))

    def listed(self, where: str, values: tuple[object, ...], limit: int, skip: int = 0) -> list[Json]:
        """Return payments, newest first; *where* is one of this project's own conditions."""
        query = f"SELECT body FROM payments WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608
        return [orjson.loads(row[0]) for row in self.db.execute(query, (*values, limit, skip))]

    def act(self, payment: Json, kind: str, amount: int, **fields: Any) -> Json:
        """Record something done to a payment, or asked for."""
        action = {"id": new_id("act"), "type": kind, "processed_on": now(), "amount": amount, **fields}
        self.db.execute(
            "INSERT INTO actions (id, payment, body) VALUES (?, ?, ?)",
            (action["id"], payment["id"], orjson.dumps(action)),
        )
        return action

    def settle(self, action: Json, code: str) -> None:
        """Record how an action came out."""
        approved = code.startswith("10")
        action |= {"approved": approved, "response_code": code, "processed_on": now()}
        action["response_summary"] = "Approved" if approved else "Declined"
        self.db.execute("UPDATE actions SET body = ? WHERE id = ?", (orjson.dumps(action), action["id"]))

    def action(self, key: str) -> Json:
        """Return an action that is known to be there."""
        row = self.db.execute("SELECT body FROM actions WHERE id = ?", (key,)).fetchone()
        return dict(orjson.loads(row[0]))

    def actions(self, payment: str) -> list[Json]:
        """Return what was done to a payment, newest first."""
        rows = self.db.execute("SELECT body FROM actions WHERE payment = ? ORDER BY seq DESC", (payment,))
        return [orjson.loads(row[0]) for row in rows]
