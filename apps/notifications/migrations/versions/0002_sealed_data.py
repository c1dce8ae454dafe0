"""A column for what security mails say, which is stored sealed; `data` stays for what need not be."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add it; without a default no row is rewritten."""
    op.execute("ALTER TABLE messages ADD COLUMN sealed bytea")


def downgrade() -> None:
    """Refuse: what is sealed would be lost."""
    raise NotImplementedError("mails that wait would lose what they say; send them before going back")
