"""Find a payment's webhooks, so that they can be forgotten with its person."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Build the index beside whatever runs; an interrupted one is built anew."""
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS notices_payment_id")
        op.execute("CREATE INDEX CONCURRENTLY notices_payment_id ON notices (payment_id) WHERE payment_id IS NOT NULL")
