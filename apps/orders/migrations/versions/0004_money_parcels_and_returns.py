"""What is known of an order's money; parcels, returns, documents on the way, and people to forget."""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    # Null where the release before wrote it: what it knew stands in payment_status, and is read from there.
    """
    ALTER TABLE orders
        ADD COLUMN captured bigint CHECK (captured >= 0),
        ADD COLUMN overpaid bigint NOT NULL DEFAULT 0 CHECK (overpaid >= 0),
        ADD COLUMN authorised bigint NOT NULL DEFAULT 0 CHECK (authorised >= 0),
        ADD COLUMN returned bigint NOT NULL DEFAULT 0 CHECK (returned >= 0),
        ADD COLUMN payment_sequence integer NOT NULL DEFAULT 0,
        ADD COLUMN paid_at timestamptz,
        ADD COLUMN erased_at timestamptz
    """,
    """
    ALTER TABLE order_lines
        ADD COLUMN shipped integer NOT NULL DEFAULT 0,
        ADD COLUMN returned integer NOT NULL DEFAULT 0
    """,
    # Not checked for what is there already, which would read every line: it has sent and returned nothing.
    """
    ALTER TABLE order_lines ADD CONSTRAINT order_lines_sent
        CHECK (shipped BETWEEN 0 AND quantity AND returned BETWEEN 0 AND shipped) NOT VALID
    """,
    """
    CREATE TABLE order_shipments (
        order_id uuid NOT NULL,
        id uuid NOT NULL,
        carrier text NOT NULL,
        tracking_number text NOT NULL,
        lines jsonb NOT NULL,
        shipped_at timestamptz NOT NULL,
        delivered_at timestamptz,
        PRIMARY KEY (order_id, id)
    ) PARTITION BY RANGE (order_id)
    """,
    """
    CREATE TABLE order_returns (
        order_id uuid NOT NULL,
        id uuid NOT NULL,
        lines jsonb NOT NULL,
        refund bigint NOT NULL CHECK (refund >= 0),
        reason text NOT NULL,
        returned_at timestamptz NOT NULL,
        PRIMARY KEY (order_id, id)
    ) PARTITION BY RANGE (order_id)
    """,
    # A document is written before the row that names it. Its key stands here meanwhile, so that one that nothing names
    # in the end is found: no state store lists its keys.
    """
    CREATE TABLE document_intents (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        keys text[] NOT NULL,
        claimed_at timestamptz
    )
    """,
    "CREATE INDEX document_intents_at ON document_intents (at)",
    # Two who edit one order at once write two documents: no key is given twice.
    "CREATE SEQUENCE document_revisions AS integer START 1000",
    """
    CREATE TABLE erasures (
        customer_id uuid PRIMARY KEY,
        requested_at timestamptz NOT NULL DEFAULT now(),
        tried_at timestamptz
    )
    """,
)

# As before, for five tables; and any month that orders has, the others get.
_ENSURE = """
CREATE OR REPLACE FUNCTION ensure_partitions(months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $body$
DECLARE
    parent text;
    child text;
    first timestamp := date_trunc('month', (now() AT TIME ZONE 'UTC') - interval '1 day');
    last timestamp := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => least(months, 24));
    month timestamp;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_partitions'));
    FOR month IN
        SELECT generate_series(first, last, interval '1 month')
        UNION
        SELECT to_timestamp(right(inhrelid::regclass::text, 7), 'YYYY_MM') AT TIME ZONE current_setting('TimeZone')
        FROM pg_inherits WHERE inhparent = 'orders'::regclass
        ORDER BY 1
    LOOP
        FOREACH parent IN ARRAY
            ARRAY['orders', 'order_lines', 'order_timeline', 'order_shipments', 'order_returns']
        LOOP
            child := parent || to_char(month, '_YYYY_MM');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = 80)', child, parent);
                EXECUTE format(
                    'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child,
                    uuid_bound(month AT TIME ZONE 'UTC'),
                    uuid_bound((month + interval '1 month') AT TIME ZONE 'UTC')
                );
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END
$body$
"""


def upgrade() -> None:
    """Add everything beside what is there: the release before neither reads nor misses it."""
    for statement in (*_STATEMENTS, _ENSURE, "SELECT ensure_partitions(3)"):
        op.execute(statement)
