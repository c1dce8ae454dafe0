"""As many accounts as are asked for, made by the database itself: rows as the service writes them."""

import psycopg

# An id is its moment in milliseconds, and its number: one account a minute, up to now.
_ID = """(lpad(to_hex((extract(epoch FROM now() - (%(total)s - n) * interval '1 minute') * 1000)::bigint), 12, '0')
    || '7000{kind}' || lpad(to_hex(n), 12, '0'))::uuid"""
_USERS = f"""
INSERT INTO users (id, email, email_verified, password_hash, name, locale, timezone, roles, status, sequence)
SELECT {_ID.format(kind="8000")}, substr(md5(n::text), 1, 12) || '@example.org', true, %(hash)s,
    substr(md5((n * 7)::text), 1, 8) || ' Lovelace', 'en', 'UTC',
    CASE WHEN n %% 2000 = 0 THEN '{{customer,staff}}'::text[] WHEN n %% 5000 = 1 THEN '{{admin,customer}}'
        ELSE '{{customer}}' END,
    CASE WHEN n %% 1000 = 5 THEN 'locked' ELSE 'active' END, 1
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS s(n)
"""  # noqa: S608  # our own
_SESSIONS = f"""
INSERT INTO sessions (id, user_id, family_hash, generation, secret_hash, expires_at)
SELECT {_ID.format(kind="9000")}, {_ID.format(kind="8000")}, sha256(n::text::bytea), 1, sha256((-n)::text::bytea),
    now() + interval '30 days'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS s(n)
"""  # noqa: S608  # our own
_TRAIL = f"""
INSERT INTO audit_events (id, user_id, actor, action, outcome, address)
SELECT {_ID.format(kind="a000")}, {_ID.format(kind="8000")}, 'anyone',
    CASE WHEN n %% 1000 = 7 THEN 'roles_changed' ELSE 'signed_in' END, 'done', '192.0.2.1'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS s(n)
"""  # noqa: S608  # our own
_STEP = 100_000


def fill(connection: psycopg.Connection, users: int, password_hash: str) -> None:
    """Write *users*, each with a session and an entry in the trail; the connection is the owner's, and commits."""
    for first in range(1, users + 1, _STEP):
        values = {"first": first, "last": min(users, first + _STEP - 1), "total": users, "hash": password_hash}
        # one moment for all three: an account's id stands in each
        with connection.transaction():
            for statement in (_USERS, _SESSIONS, _TRAIL):
                connection.execute(statement.encode(), values)
    connection.execute(b"VACUUM ANALYZE")
