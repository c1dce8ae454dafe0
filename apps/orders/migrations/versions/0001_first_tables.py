"""Price list; orders, lines and timeline in monthly partitions by the order's UUIDv7."""

from alembic import op

from apps.chassis import schema

revision = "0001"
down_revision = None

_TABLES = (
    # Half of each page stays free: a stock changes with every order, and so its new version stays on the page.
    """
    CREATE TABLE products (
        sku text PRIMARY KEY,
        name text NOT NULL,
        price bigint NOT NULL CHECK (price >= 0),
        currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
        stock integer CHECK (stock >= 0),
        active boolean NOT NULL,
        options jsonb
    ) WITH (fillfactor = 50)
    """,
    # There is no default partition: it would have to be searched and locked to make a month's own later. Months are
    # made well ahead by ensure_partitions, and an order for which there is none is refused rather than misplaced.
    """
    CREATE TABLE orders (
        id uuid PRIMARY KEY,
        number text NOT NULL,
        customer_id uuid NOT NULL,
        status text NOT NULL,
        payment_status text NOT NULL,
        fulfilment_status text NOT NULL,
        total bigint NOT NULL CHECK (total >= 0),
        currency text NOT NULL,
        refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),
        revision integer NOT NULL,
        document_revision integer NOT NULL,
        placed_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        asked_at timestamptz
    ) PARTITION BY RANGE (id)
    """,
    "CREATE INDEX orders_customer ON orders (customer_id, id DESC)",
    # Small, since orders leave it within a second: the sweeper finds those that hear nothing.
    "CREATE INDEX orders_waiting ON orders (id) WHERE status = 'placed' AND payment_status = 'pending'",
    # No foreign key to orders: one statement writes both, nothing deletes either, and the check would cost each line.
    """
    CREATE TABLE order_lines (
        order_id uuid NOT NULL,
        position smallint NOT NULL,
        sku text NOT NULL,
        name text NOT NULL,
        quantity integer NOT NULL CHECK (quantity > 0),
        unit_price bigint NOT NULL CHECK (unit_price >= 0),
        PRIMARY KEY (order_id, position)
    ) PARTITION BY RANGE (order_id)
    """,
    """
    CREATE TABLE order_timeline (
        order_id uuid NOT NULL,
        entry integer NOT NULL,
        at timestamptz NOT NULL,
        from_status text,
        to_status text NOT NULL,
        payment_status text NOT NULL,
        trigger text NOT NULL,
        actor text NOT NULL,
        cause text,
        note text,
        PRIMARY KEY (order_id, entry)
    ) PARTITION BY RANGE (order_id)
    """,
)

# The first 48 bits of a UUIDv7 are milliseconds since 1970, so a month's bounds are its first moments.
_BOUND = """
CREATE FUNCTION uuid_bound(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog
RETURN rpad(lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
"""

# SECURITY DEFINER: the service asks for months, yet its role may create no table. A month is built aside and then
# attached, which locks out nobody; PARTITION OF would lock the whole table. The day back covers clocks that differ.
_ENSURE = """
CREATE FUNCTION ensure_partitions(months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $body$
DECLARE
    parent text;
    child text;
    first timestamp := date_trunc('month', (now() AT TIME ZONE 'UTC') - interval '1 day');
    last timestamp := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => least(months, 24));
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    WHILE first <= last LOOP
        FOREACH parent IN ARRAY ARRAY['orders', 'order_lines', 'order_timeline'] LOOP
            child := parent || to_char(first, '_YYYY_MM');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = 80)', child, parent);
                EXECUTE format(
                    'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child,
                    uuid_bound(first AT TIME ZONE 'UTC'),
                    uuid_bound((first + interval '1 month') AT TIME ZONE 'UTC')
                );
                made := made + 1;
            END IF;
        END LOOP;
        first := first + interval '1 month';
    END LOOP;
    RETURN made;
END
$body$
"""


def upgrade() -> None:
    """Create everything, with partitions for this month and the next three."""
    for statement in (*schema.statements_v1(), *_TABLES, _BOUND, _ENSURE, "SELECT ensure_partitions(3)"):
        op.execute(statement)
