"""Order news that waits to be told in one mail, at the hour its reader chose."""

from alembic import op

revision = "0006"
down_revision = "0005"

# digest_at: when what waits is told; such a row's due_at is `infinity`, so that nothing else takes it. Once it was
# alone at that hour it is -infinity, and the row goes out by itself.
_MESSAGES = """
ALTER TABLE messages
    ADD COLUMN digest_at timestamptz,
    DROP CONSTRAINT messages_state, DROP CONSTRAINT messages_over,
    ADD CONSTRAINT messages_state CHECK (state IN ('queued', 'sending', 'unknown', 'retrying', 'delivered', 'failed',
        'skipped', 'discarded', 'gathered')) NOT VALID,
    ADD CONSTRAINT messages_over CHECK
        ((due_at IS NULL) = (state IN ('delivered', 'failed', 'skipped', 'discarded', 'gathered'))) NOT VALID
"""
_PREFERENCES = "ALTER TABLE preferences ADD COLUMN digest text CHECK (digest IN ('hourly', 'daily'))"
_INDEX = "messages_digest ON messages (digest_at) WHERE due_at = 'infinity' AND digest_at IS NOT NULL"


def upgrade() -> None:
    """Add it; the checks are validated, and the index built, while others work."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_MESSAGES)
    op.execute(_PREFERENCES)
    with op.get_context().autocommit_block():
        for constraint in ("messages_state", "messages_over"):
            op.execute(f"ALTER TABLE messages VALIDATE CONSTRAINT {constraint}")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS messages_digest")
        op.execute(f"CREATE INDEX CONCURRENTLY {_INDEX}")


def downgrade() -> None:
    """Refuse: what waits for its digest would be lost."""
    raise NotImplementedError("messages that wait for a digest would be lost; let them be sent first")
