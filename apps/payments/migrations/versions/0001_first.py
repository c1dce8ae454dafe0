"""Create the chassis' tables and the sealed records.

Columns in clear say nothing about money: an id, when to look next, who looks, how often, and blind indexes.
"""

from alembic import op

from apps.chassis import schema

revision = "0001"
down_revision = None

_OWN = (
    """
    CREATE TABLE payments (
        id uuid PRIMARY KEY,
        order_ix uuid NOT NULL UNIQUE,
        customer_ix uuid NOT NULL,
        provider_ix uuid,
        due_at timestamptz,
        lease uuid,
        tries smallint NOT NULL DEFAULT 0,
        key_id text NOT NULL,
        wrapped_key bytea NOT NULL,
        sealed bytea NOT NULL
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX payments_due_at ON payments (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX payments_customer_ix ON payments (customer_ix)",
    "CREATE INDEX payments_provider_ix ON payments (provider_ix) WHERE provider_ix IS NOT NULL",
    """
    CREATE TABLE provider_answers (
        id uuid PRIMARY KEY,
        payment_id uuid NOT NULL REFERENCES payments (id),
        received_at timestamptz NOT NULL DEFAULT now(),
        sealed bytea NOT NULL
    )
    """,
    "CREATE INDEX provider_answers_payment_id ON provider_answers (payment_id)",
    """
    CREATE TABLE notices (
        key uuid PRIMARY KEY,
        received_at timestamptz NOT NULL DEFAULT now(),
        sealed bytea NOT NULL
    )
    """,
)


def upgrade() -> None:
    """Create everything."""
    for statement in (*schema.statements_v1(), *_OWN):
        op.execute(statement)


def downgrade() -> None:
    """There is nothing before the first version."""
    raise NotImplementedError("restore a backup instead")
