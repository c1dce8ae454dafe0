"""Whose order it is, on each of its rows: what is asked of one customer's orders can then be asked of one shard."""

from alembic import op

revision = "0007"
down_revision = "0006"

_TABLES = ("order_lines", "order_timeline", "order_shipments", "order_returns")

# The release before leaves the column empty. After its statement, since it may write a line before the order; this
# release fills the column itself, and then the condition is all that a row costs.
_NAME = """
CREATE OR REPLACE FUNCTION name_customer() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $body$
BEGIN
    EXECUTE format('UPDATE %I SET customer_id = (SELECT customer_id FROM orders WHERE id = $1)
        WHERE order_id = $1 AND customer_id IS NULL', TG_ARGV[0]) USING NEW.order_id;
    RETURN NULL;
END
$body$
"""
_TRIGGER = """
CREATE OR REPLACE TRIGGER name_customer AFTER INSERT ON {0} FOR EACH ROW WHEN (NEW.customer_id IS NULL)
    EXECUTE FUNCTION name_customer('{0}')
"""


def upgrade() -> None:
    """Add the column, which touches no row; a table by itself, so that none is held while another is waited for."""
    with op.get_context().autocommit_block():
        op.execute(_NAME)
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS customer_id uuid")
            op.execute(_TRIGGER.format(table))
