"""The audit trail by month: what is kept long enough goes a month at a time, and what happened is not rewritten."""

from alembic import op

revision = "0005"
down_revision = "0004"

# The first 48 bits of a UUIDv7 are milliseconds since 1970, so a month's bounds are its first moments.
_BOUND = """
CREATE OR REPLACE FUNCTION uuid_bound(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog
RETURN rpad(lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
"""
_INDEX_OF_ACTIONS = "CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_events_action ON audit_events (action, id)"

# What is there becomes the first partition, up to the end of this month, and is copied nowhere. That it fits is
# checked beside whatever runs; taking its new place then takes a moment. The day ahead covers clocks that differ.
_CHECK = """
DO $$ BEGIN
    EXECUTE format('ALTER TABLE audit_events ADD CONSTRAINT audit_events_so_far CHECK (id < %L) NOT VALID',
        uuid_bound((date_trunc('month', (now() AT TIME ZONE 'UTC') + interval '1 day') + interval '1 month')
            AT TIME ZONE 'UTC'));
END $$
"""
_MOVE = """
DO $$
DECLARE
    month timestamp := date_trunc('month', (now() AT TIME ZONE 'UTC') + interval '1 day');
    child text := to_char(month, '"audit_events_"YYYY_MM');
BEGIN
    EXECUTE format('ALTER TABLE audit_events RENAME TO %I', child);
    ALTER INDEX audit_events_pkey RENAME TO audit_events_so_far_pkey;
    ALTER INDEX audit_events_user_id RENAME TO audit_events_so_far_user_id;
    ALTER INDEX audit_events_action RENAME TO audit_events_so_far_action;
    DROP INDEX audit_events_at;
    EXECUTE format('CREATE TABLE audit_events (LIKE %I INCLUDING DEFAULTS) PARTITION BY RANGE (id)', child);
    ALTER TABLE audit_events ADD PRIMARY KEY (id);
    CREATE INDEX audit_events_user_id ON audit_events (user_id, id);
    CREATE INDEX audit_events_action ON audit_events (action, id);
    EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)', child,
        uuid_bound((month + interval '1 month') AT TIME ZONE 'UTC'));
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT audit_events_so_far', child);
END $$
"""

# SECURITY DEFINER: the service asks for months, yet its role may create and drop nothing. Each month follows the
# newest there is, so that none is left out however long the system was off.
_ENSURE = """
CREATE FUNCTION ensure_audit_months(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s'
AS $body$
DECLARE
    last timestamp := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => least(ahead, 24));
    month timestamp;
    child text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_months'));
    SELECT max(to_timestamp(right(inhrelid::regclass::text, 7), 'YYYY_MM')) AT TIME ZONE current_setting('TimeZone')
        INTO month FROM pg_inherits WHERE inhparent = 'audit_events'::regclass;
    WHILE month < last LOOP
        month := month + interval '1 month';
        child := to_char(month, '"audit_events_"YYYY_MM');
        EXECUTE format('CREATE TABLE %I (LIKE audit_events INCLUDING ALL)', child);
        EXECUTE format('ALTER TABLE audit_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', child,
            uuid_bound(month AT TIME ZONE 'UTC'), uuid_bound((month + interval '1 month') AT TIME ZONE 'UTC'));
        made := made + 1;
    END LOOP;
    RETURN made;
END
$body$
"""

# A month goes when its last moment is *age* old, and no younger than a quarter whoever asks.
_DROP = """
CREATE FUNCTION drop_audit_months(age interval) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '1s'
AS $body$
DECLARE
    kept timestamp := date_trunc('month', (now() AT TIME ZONE 'UTC') - greatest(age, interval '90 days'));
    child text;
    gone integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_months'));
    FOR child IN
        SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_events'::regclass
        AND right(inhrelid::regclass::text, 7) < to_char(kept, 'YYYY_MM') ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        gone := gone + 1;
    END LOOP;
    RETURN gone;
END
$body$
"""

# Who took the service over could still do everything it does; rewriting what happened is not among that. To forget
# whom something happened to is.
_KEEP = """
CREATE FUNCTION keep_audit_event() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.address IS NULL AND NEW.agent IS NULL AND NEW.detail = '{}'
        AND (NEW.id, NEW.at, NEW.user_id, NEW.actor, NEW.action, NEW.outcome)
            IS NOT DISTINCT FROM (OLD.id, OLD.at, OLD.user_id, OLD.actor, OLD.action, OLD.outcome) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit trail is only added to; a month of it goes by drop_audit_months'
        USING ERRCODE = 'insufficient_privilege';
END
$body$
"""
_KEPT = """
CREATE TRIGGER audit_events_kept BEFORE UPDATE OR DELETE ON audit_events
FOR EACH ROW EXECUTE FUNCTION keep_audit_event()
"""


def upgrade() -> None:
    """Check beside whatever runs, then change places; the release before goes on writing to the same name."""
    with op.get_context().autocommit_block():
        op.execute(_BOUND)
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS audit_events_action")
        op.execute(_INDEX_OF_ACTIONS)
        op.execute("ALTER TABLE audit_events DROP CONSTRAINT IF EXISTS audit_events_so_far")
        op.execute(_CHECK)
        op.execute("ALTER TABLE audit_events VALIDATE CONSTRAINT audit_events_so_far")
    for statement in (_MOVE, _ENSURE, _DROP, "SELECT ensure_audit_months(3)", _KEEP, _KEPT):
        op.execute(statement)
