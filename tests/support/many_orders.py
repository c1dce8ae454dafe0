"""A year of orders, made by the database itself: rows as the service writes them, spread over twelve months.

Each month is filled before it has indexes, and attached afterwards, which builds them: ten million orders take minutes.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier, Literal

_TABLES = ("orders", "order_lines", "order_timeline", "order_shipments", "order_returns")
_MONTHS = b"""
SELECT month, month + interval '1 month' FROM generate_series(date_trunc('month', now(), 'UTC') - interval '11 months',
    date_trunc('month', now(), 'UTC'), interval '1 month') AS s(month)
"""
# An id is its moment in milliseconds, and its number. A customer comes back after as many orders as there are of them.
_ORDERS = """
INSERT INTO {} (id, number, customer_id, status, payment_status, fulfilment_status, total, currency, captured,
    revision, document_revision, placed_at, updated_at, paid_at)
SELECT id, lpad(to_hex(n), 12, '0'),
    ('00000000-0000-0000-0000-' || lpad(to_hex(n %% %(customers)s), 12, '0'))::uuid, status,
    CASE status WHEN 'placed' THEN 'declined' WHEN 'cancelled' THEN 'refunded' ELSE 'captured' END,
    CASE status WHEN 'delivered' THEN 'delivered' ELSE 'unfulfilled' END,
    3998, 'EUR', CASE status WHEN 'placed' THEN NULL ELSE 3998 END, 2, 1, at, at, at
FROM (
    SELECT n, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000'
        || lpad(to_hex(n), 12, '0'))::uuid AS id,
        CASE WHEN turn %% 500 = 0 THEN 'placed' WHEN turn %% 50 = 1 THEN 'cancelled' WHEN turn %% 20 = 2 THEN 'paid'
            ELSE 'delivered' END AS status
    FROM (SELECT n, n + n / %(customers)s AS turn, %(newest)s - (%(total)s - n) * %(pause)s AS at
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS s(n)) AS moments
) AS made WHERE at >= %(begins)s AND at < %(ends)s
"""
_LINES = """
INSERT INTO {} (order_id, customer_id, position, sku, name, quantity, unit_price)
SELECT id, customer_id, position, 'tea-' || position, 'Tea', 1, 1999
FROM {} CROSS JOIN generate_series(1, 2) AS s(position)
"""
_TIMELINE = """
INSERT INTO {} (order_id, customer_id, entry, at, from_status, to_status, payment_status, trigger, actor)
SELECT id, customer_id, entry, placed_at, NULL, 'placed', 'pending', 'order_placed', 'customer'
FROM {} CROSS JOIN generate_series(1, 2) AS s(entry)
"""
_SHIPMENTS = """
INSERT INTO {} (order_id, customer_id, id, carrier, tracking_number, lines, shipped_at, delivered_at)
SELECT id, customer_id, id, 'DHL', number, '[{{"sku": "tea-1", "quantity": 1}}, {{"sku": "tea-2", "quantity": 1}}]',
    placed_at, placed_at FROM {} WHERE status = 'delivered'
"""
_SESSION = b"SET maintenance_work_mem = '512MB'; SET max_parallel_maintenance_workers = 2; SET statement_timeout = 0"


@dataclass(frozen=True, slots=True)
class Year:
    """So many orders of so many customers up to *newest*, evenly."""

    total: int
    customers: int
    newest: datetime
    pause: timedelta

    def number_at(self, moment: datetime) -> int:
        """Return the number that an order placed about then has."""
        return self.total - int((self.newest - moment) / self.pause)


def fill(connection: psycopg.Connection, *, orders: int, customers: int) -> None:
    """Write *orders* of a year of *customers*; the connection is a superuser's and commits by itself."""
    connection.execute(_SESSION)
    months, newest = connection.execute(_MONTHS).fetchall(), datetime.now(UTC)
    year = Year(orders, customers, newest, (newest - months[0][0]) / orders)
    for begins, ends in months:
        with connection.transaction():
            _fill_month(connection, begins, ends, year)
    connection.execute(b"VACUUM ANALYZE")


def customer(number: int) -> UUID:
    """Return the id of the customer of that number, below as many as there are."""
    return UUID(int=number)


def _fill_month(connection: psycopg.Connection, begins: datetime, ends: datetime, year: Year) -> None:
    """Build a month aside, in the transaction that makes its tables, and attach it."""
    month = {parent: f"{parent}_{begins.astimezone(UTC):%Y_%m}" for parent in _TABLES}
    for parent, child in month.items():
        connection.execute(SQL("DROP TABLE IF EXISTS {}").format(Identifier(child)))
        made = "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (fillfactor = 80)"
        connection.execute(SQL(made).format(Identifier(child), Identifier(parent)))
    orders = Identifier(month["orders"])
    first, last = max(1, year.number_at(begins) - 1), min(year.total, year.number_at(ends) + 1)
    values = {"begins": begins, "ends": ends, "first": first, "last": last}
    connection.execute(SQL(_ORDERS).format(orders), asdict(year) | values)
    for parent, statement in (("order_lines", _LINES), ("order_timeline", _TIMELINE), ("order_shipments", _SHIPMENTS)):
        connection.execute(SQL(statement).format(Identifier(month[parent]), orders))
    for parent, child in month.items():
        attach = "ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM (uuid_bound({})) TO (uuid_bound({}))"
        bounds = (Literal(begins), Literal(ends))
        connection.execute(SQL(attach).format(Identifier(parent), Identifier(child), *bounds))
