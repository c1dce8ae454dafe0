"""The chassis' own tables, as each service's migrations create them; a change is a new function, never an edit."""

_V1 = """
CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    envelope bytea NOT NULL
);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_recorded_at ON outbox (recorded_at);

CREATE TABLE inbox (
    key uuid PRIMARY KEY,
    handled_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_handled_at ON inbox (handled_at);

CREATE TABLE dead_letters (
    id uuid PRIMARY KEY,
    key uuid NOT NULL UNIQUE,
    received_at timestamptz NOT NULL DEFAULT now(),
    envelope bytea NOT NULL
);

CREATE TABLE idempotent_replies (
    key uuid PRIMARY KEY,
    fingerprint bytea NOT NULL,
    reply bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotent_replies_created_at ON idempotent_replies (created_at);

CREATE TABLE verification_keys (
    kid text PRIMARY KEY,
    jwk jsonb NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);
"""

# What was published since a moment is published again page by page, and swept once it is old. The index on recorded_at
# served nobody. Built beside running services, so each statement stands outside a transaction and may be repeated.
_V2 = """
DROP INDEX CONCURRENTLY IF EXISTS outbox_published_at;
CREATE INDEX CONCURRENTLY outbox_published_at ON outbox (published_at, id) WHERE published_at IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS outbox_recorded_at;
"""


def statements_v1() -> list[str]:
    """Return the first form of the chassis' tables, a statement each."""
    return _split(_V1)


def statements_v2() -> list[str]:
    """Return what finds published facts by their time, a statement each; none may run within a transaction."""
    return _split(_V2)


def _split(script: str) -> list[str]:
    return [statement.strip() for statement in script.split(";") if statement.strip()]
