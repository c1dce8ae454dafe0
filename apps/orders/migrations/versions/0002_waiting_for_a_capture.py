"""Find the declined among the waiting too, and those first that were never asked about or longest ago."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Replace the sweeper's index; it stays small, since orders are placed for a second, unless nobody pays."""
    op.execute("DROP INDEX orders_waiting")
    op.execute("CREATE INDEX orders_waiting ON orders (asked_at NULLS FIRST, id) WHERE status = 'placed'")
