"""Messages with their way through sending, and the contacts that facts of users keep current."""

from alembic import op

from apps.chassis import schema

revision = "0001"
down_revision = None

_CONTACTS = """
CREATE TABLE contacts (
    user_id uuid PRIMARY KEY,
    email text NOT NULL,
    name text,
    phone text,
    locale text NOT NULL,
    timezone text NOT NULL,
    sequence bigint NOT NULL
)
"""
# due_at is when a sweeper may take the row: the queue did not bring it, its sender fell silent, or a retry is due.
# Rows change three times within a second of their birth, hence the room left in each page.
_MESSAGES = """
CREATE TABLE messages (
    id uuid PRIMARY KEY,
    dedup_key uuid NOT NULL UNIQUE,
    user_id uuid,
    email text,
    locale text,
    category text NOT NULL CHECK (category IN ('security', 'orders', 'marketing')),
    priority smallint NOT NULL,
    channel text NOT NULL DEFAULT 'email',
    template text NOT NULL,
    data jsonb NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'retrying', 'delivered', 'failed')),
    holder text,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    CHECK (user_id IS NOT NULL OR email IS NOT NULL),
    CHECK ((due_at IS NULL) = (state IN ('delivered', 'failed')))
) WITH (fillfactor = 80)
"""
_INDEXES = (
    "CREATE INDEX messages_due ON messages (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX messages_of_user ON messages (user_id, id) WHERE user_id IS NOT NULL",
    "CREATE INDEX messages_failed ON messages (id) WHERE state = 'failed'",
)


def upgrade() -> None:
    """Create everything."""
    for statement in (*schema.statements_v1(), _CONTACTS, _MESSAGES, *_INDEXES):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: there is nothing before this."""
    raise NotImplementedError("the first migration has no way back; drop the database instead")
