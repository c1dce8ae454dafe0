"""Keep what the ledger's accounts come to as of a moment, sealed; it follows from the ledger, and may be dropped."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Nothing is there yet: the first sums are made from the whole ledger within a minute."""
    # microseconds since 1970: a number is spelled the same in every time zone, and the seal binds its spelling
    op.execute("CREATE TABLE ledger_balances (upto bigint PRIMARY KEY, sealed bytea NOT NULL)")
