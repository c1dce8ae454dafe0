"""A year of orders, made by the database itself: rows as the service writes them, spread over twelve months."""

import psycopg

# The months that the service no longer makes by itself, in the way it makes them.
_MONTHS = """
DO $$
DECLARE month timestamp; parent text; child text;
BEGIN
    FOR month IN SELECT generate_series(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '11 months',
        date_trunc('month', now() AT TIME ZONE 'UTC'), interval '1 month') LOOP
        FOREACH parent IN ARRAY
            ARRAY['orders', 'order_lines', 'order_timeline', 'order_shipments', 'order_returns']
        LOOP
            child := parent || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(child) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = 80)', child, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child,
                uuid_bound(month AT TIME ZONE 'UTC'), uuid_bound((month + interval '1 month') AT TIME ZONE 'UTC'));
        END LOOP;
    END LOOP;
END $$
"""
# An id is its moment in milliseconds, and its number. A customer comes back after as many orders as there are of them.
_ORDERS = """
INSERT INTO orders (id, number, customer_id, status, payment_status, fulfilment_status, total, currency, captured,
    revision, document_revision, placed_at, updated_at, paid_at)
SELECT id, lpad(to_hex(n), 12, '0'),
    ('00000000-0000-0000-0000-' || lpad(to_hex(n % %(customers)s), 12, '0'))::uuid, status,
    CASE status WHEN 'placed' THEN 'declined' WHEN 'cancelled' THEN 'refunded' ELSE 'captured' END,
    CASE status WHEN 'delivered' THEN 'delivered' ELSE 'unfulfilled' END,
    3998, 'EUR', CASE status WHEN 'placed' THEN NULL ELSE 3998 END, 2, 1, at, at, at
FROM (
    SELECT n, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000'
        || lpad(to_hex(n), 12, '0'))::uuid AS id,
        CASE WHEN n % 500 = 0 THEN 'placed' WHEN n % 50 = 1 THEN 'cancelled' WHEN n % 20 = 2 THEN 'paid'
            ELSE 'delivered' END AS status
    FROM (SELECT n, now() - (%(total)s - n) * (interval '330 days' / %(total)s) AS at
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS s(n)) AS moments
) AS made
"""
_LINES = """
INSERT INTO order_lines (order_id, position, sku, name, quantity, unit_price)
SELECT id, position, 'tea-' || position, 'Tea', 1, 1999 FROM orders CROSS JOIN generate_series(1, 2) AS s(position)
WHERE number BETWEEN lpad(to_hex(%(first)s::bigint), 12, '0') AND lpad(to_hex(%(last)s::bigint), 12, '0')
"""
_TIMELINE = """
INSERT INTO order_timeline (order_id, entry, at, from_status, to_status, payment_status, trigger, actor)
SELECT id, entry, placed_at, NULL, 'placed', 'pending', 'order_placed', 'customer'
FROM orders CROSS JOIN generate_series(1, 2) AS s(entry)
WHERE number BETWEEN lpad(to_hex(%(first)s::bigint), 12, '0') AND lpad(to_hex(%(last)s::bigint), 12, '0')
"""
_STEP = 250_000


def fill(connection: psycopg.Connection, *, orders: int, customers: int) -> None:
    """Write *orders* of a year of *customers*, in steps; the connection is the owner's and commits by itself."""
    connection.execute(_MONTHS.encode())
    for first in range(1, orders + 1, _STEP):
        values = {"first": first, "last": min(orders, first + _STEP - 1), "total": orders, "customers": customers}
        for statement in (_ORDERS, _LINES, _TIMELINE):
            connection.execute(statement.replace(" % ", " %% ").encode(), values)
    connection.execute(b"VACUUM ANALYZE")
