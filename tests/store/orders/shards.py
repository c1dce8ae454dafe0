"""Orders as a distributed PostgreSQL lays them out: two servers with the customers between them, and one that is asked.

What lies where is decided by a hash of the customer, as Citus does it; the one that is asked passes statements on by
postgres_fdw, which sends nothing to a server that its plan leaves out.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from tests.support.postgres import Cluster

KEYS: Final = {
    "orders": "id",
    "order_lines": "order_id, position",
    "order_timeline": "order_id, entry",
    "order_shipments": "order_id, id",
    "order_returns": "order_id, id",
}
"""What is sharded, and what else than the customer its primary key has."""
_MENTIONED = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+({'|'.join(KEYS)})\b")
_PLANNED = re.compile(r"_on_shard_(\d)")
_ACTIVE = """
SELECT d.datname, a.query_start FROM pg_stat_activity a JOIN pg_database d ON d.oid = a.datid
WHERE a.application_name = 'postgres_fdw'
"""


def lay_out(cluster: Cluster, database_for: Callable[[str], str]) -> tuple[str, list[str]]:
    """Return the address of the server that is asked, and the names of the shards."""
    url = database_for("orders")
    shards = [_shard(cluster, database_for("orders")) for _ in range(2)]
    with cluster.connect("postgres", _name(url)) as asked:
        asked.execute("CREATE EXTENSION postgres_fdw")
        for number, name in enumerate(shards):
            server = Identifier(f"shard_{number}")
            made = "CREATE SERVER {} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port {}, dbname {})"
            asked.execute(SQL(made).format(server, Literal(str(cluster.port)), Literal(name)))
            mapped = "CREATE USER MAPPING FOR orders SERVER {} OPTIONS (user 'orders', password_required 'false')"
            asked.execute(SQL(mapped).format(server))
        for table in KEYS:
            _distribute(asked, table, len(shards))
        # each statement is planned with its values, as a router does it
        asked.execute(SQL("ALTER DATABASE {} SET plan_cache_mode = force_custom_plan").format(Identifier(_name(url))))
    return url, shards


def _shard(cluster: Cluster, url: str) -> str:
    """Give a database plain tables whose keys begin with the customer."""
    with cluster.connect("postgres", _name(url)) as shard:
        for table, key in KEYS.items():
            shard.execute(f"CREATE TABLE shard (LIKE {table} INCLUDING ALL)".encode())
            shard.execute(f"DROP TABLE {table}".encode())
            shard.execute(f"ALTER TABLE shard RENAME TO {table}".encode())
            shard.execute(f"ALTER TABLE {table} DROP CONSTRAINT shard_pkey".encode())
            shard.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (customer_id, {key})".encode())
            shard.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO orders".encode())
    return _name(url)


def _distribute(asked: psycopg.Connection, table: str, shards: int) -> None:
    asked.execute(f"ALTER TABLE {table} RENAME TO former_{table}".encode())
    asked.execute(
        f"CREATE TABLE {table} (LIKE former_{table} INCLUDING DEFAULTS) PARTITION BY HASH (customer_id)".encode()
    )
    for number in range(shards):
        asked.execute(
            f"CREATE FOREIGN TABLE {table}_on_shard_{number} PARTITION OF {table} FOR VALUES WITH "
            f"(MODULUS {shards}, REMAINDER {number}) SERVER shard_{number} OPTIONS (table_name '{table}')".encode()
        )
    asked.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO orders".encode())


def _name(url: str) -> str:
    return url.rpartition("/")[2]


@dataclass
class Asked:
    """A statement on sharded tables, the shards that its plan names and those that it reached."""

    sql: str
    planned: set[int]
    reached: set[int]

    @property
    def names_customers(self) -> bool:
        """Tell whether it names a customer for each table that it touches."""
        return len(_MENTIONED.findall(self.sql)) <= self.sql.count("customer_id")


@dataclass
class Wire:
    """What is between the server that is asked and the *shards*, by number."""

    shards: list[str]
    server: psycopg.Connection
    documents: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def _last(self) -> dict[int, set[Any]]:
        found: dict[int, set[Any]] = {number: set() for number in range(len(self.shards))}
        for name, at in self.server.execute(_ACTIVE).fetchall():
            found[self.shards.index(name)].add(at)
        return found

    def _since(self, before: dict[int, set[Any]]) -> set[int]:
        return {number for number, at in self._last().items() if at - before[number]}

    @contextmanager
    def tapped(self) -> Iterator[list[Asked]]:
        """Note each statement on sharded tables that runs meanwhile, with its plan and whom it reached."""
        cursor: Any = psycopg.AsyncCursor
        execute, execute_many = cursor.execute, cursor.executemany
        heard: list[Asked] = []

        async def tapping(this: Any, query: Any, *values: Any, **options: Any) -> Any:
            sql = query.decode() if isinstance(query, bytes) else str(query)
            if not _MENTIONED.search(sql):
                return await execute(this, query, *values, **options)
            plan = await execute(this.connection.cursor(), f"EXPLAIN {sql}".encode(), *values)
            told = "\n".join(str(row) for row in await plan.fetchall())
            before = self._last()
            done = await execute(this, query, *values, **options)
            heard.append(Asked(sql, {int(number) for number in _PLANNED.findall(told)}, self._since(before)))
            return done

        async def tapping_many(this: Any, query: Any, rows: Any, **options: Any) -> None:
            await execute(this.connection.cursor(), "SELECT 1")  # what was asked before ends with the next question
            before = self._last()
            await execute_many(this, query, rows, **options)
            if _MENTIONED.search(str(query)):
                heard.append(Asked(str(query), set(), self._since(before)))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cursor, "execute", tapping)
            patch.setattr(cursor, "executemany", tapping_many)
            yield heard
