"""Keep the trace of what a message comes from, where it is sampled, so that its sending belongs to it."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a column that nobody has to fill; a release that does not know it writes none."""
    op.execute("ALTER TABLE messages ADD COLUMN traceparent text")
