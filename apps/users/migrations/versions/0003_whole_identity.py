"""Second factors, changes of address, throttles, the audit trail, machine clients, more about sessions and keys."""

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = """
ALTER TABLE users ADD COLUMN status text NOT NULL DEFAULT 'active';

ALTER TABLE sessions ADD COLUMN previous_hash bytea, ADD COLUMN address text, ADD COLUMN agent text;

ALTER TABLE signing_keys ADD COLUMN signs_from timestamptz NOT NULL DEFAULT now();
UPDATE signing_keys SET signs_from = created_at;

CREATE TABLE second_factors (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sealed_secret bytea NOT NULL,
    last_step bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz
);
CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE email_changes (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    old_email text NOT NULL,
    new_email text NOT NULL,
    old_confirmed_at timestamptz,
    new_confirmed_at timestamptz,
    expires_at timestamptz NOT NULL
);
CREATE INDEX email_changes_expires_at ON email_changes (expires_at);
CREATE INDEX one_time_tokens_expires_at ON one_time_tokens (expires_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE throttles (
    key bytea PRIMARY KEY,
    failures integer NOT NULL,
    last_at timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL
);
CREATE INDEX throttles_last_at ON throttles (last_at);

CREATE TABLE audit_events (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    user_id uuid,
    actor text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    address text,
    agent text,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_user_id ON audit_events (user_id, id);
CREATE INDEX audit_events_at ON audit_events (at);

CREATE TABLE machine_clients (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE TABLE machine_secrets (
    id uuid PRIMARY KEY,
    client_id uuid NOT NULL REFERENCES machine_clients ON DELETE CASCADE,
    secret_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);
CREATE INDEX machine_secrets_client_id ON machine_secrets (client_id)
"""


def upgrade() -> None:
    """Add only: the release before goes on working beside it."""
    for statement in filter(str.strip, _STATEMENTS.split(";")):
        op.execute(statement)
