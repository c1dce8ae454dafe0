"""Changes of partitioned tables that lock out nobody."""

from collections.abc import Iterator, Sequence


def index_statements(name: str, table: str, definition: str, partitions: Sequence[str]) -> Iterator[str]:
    """Yield what builds an index on each partition by itself and then joins them; each stands outside a transaction.

    PostgreSQL builds no index of a partitioned table concurrently. It is valid once every partition's has joined.
    """
    yield f"DROP INDEX IF EXISTS {name}"
    yield f"CREATE INDEX {name} ON ONLY {table} {definition}"
    for partition in partitions:
        own = f"{name}{partition.removeprefix(table)}"
        yield f"DROP INDEX CONCURRENTLY IF EXISTS {own}"
        yield f"CREATE INDEX CONCURRENTLY {own} ON {partition} {definition}"
        yield f"ALTER INDEX {name} ATTACH PARTITION {own}"
