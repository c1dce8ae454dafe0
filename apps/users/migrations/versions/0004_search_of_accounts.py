"""Find accounts as an administrator looks for them: by how an address or a name begins, by role, by status."""

from alembic import op

revision = "0004"
down_revision = "0003"

# In bytes: a beginning is a range of such an index, and its order that of the pages, whatever the database collates by.
_INDEXES = {
    "users_email_prefix": '(lower(email) COLLATE "C", id)',
    "users_name_prefix": '(lower(name) COLLATE "C", id)',
    "users_roles": "USING gin (roles)",
    "users_locked": "(id) WHERE status = 'locked'",
}


def upgrade() -> None:
    """Build the indexes beside whatever runs; an interrupted one is built anew."""
    with op.get_context().autocommit_block():
        for name, definition in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON users {definition}")
