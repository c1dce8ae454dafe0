"""Let a reconciliation that was begun and not finished be taken up again: it is due, as everything here is."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Nothing has been written yet that would be lost."""
    op.execute("ALTER TABLE reconciliations DROP COLUMN wanted, ADD COLUMN due_at timestamptz")
