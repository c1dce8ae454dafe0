"""Fill in whose order it is where the release before left it empty, a few thousand orders at a time."""

from itertools import count

from alembic import op
from sqlalchemy import Connection, text

revision = "0008"
down_revision = "0007"

_TABLES = ("order_lines", "order_timeline", "order_shipments", "order_returns")
_BATCH = 2_000
_NO_ORDER = "00000000-0000-0000-0000-000000000000"
_NEXT = text("""
SELECT CAST(max(CAST(id AS text)) AS uuid) FROM (SELECT id FROM orders WHERE id > :after ORDER BY id LIMIT :batch) AS b
""")
# Who writes meanwhile holds rows of one order and waits for nothing that this holds, so nobody waits in a circle.
_FILL = """
UPDATE {0} t SET customer_id = o.customer_id FROM orders o
WHERE o.id = t.order_id AND t.customer_id IS NULL
    AND o.id > :after AND o.id <= :upto AND t.order_id > :after AND t.order_id <= :upto
"""


def upgrade() -> None:
    """Commit after each table of each batch; an interrupted run is gone on with by the next, which finds the rest."""
    with op.get_context().autocommit_block():
        connection, after = op.get_bind(), _NO_ORDER
        for number in count(1):
            upto = connection.scalar(_NEXT, {"after": after, "batch": _BATCH})
            if upto is None:
                return
            _fill(connection, after, upto)
            after = upto
            if number % 100 == 0:
                print(f"orders: customers filled in for {number * _BATCH:,} orders", flush=True)  # noqa: T201


def _fill(connection: Connection, after: str, upto: str) -> None:
    for table in _TABLES:
        connection.execute(text(_FILL.format(table)), {"after": after, "upto": upto})
