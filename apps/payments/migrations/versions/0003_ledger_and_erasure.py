"""Create the ledger, what is remembered of persons to forget, and reconciliations; note whose a webhook is.

A ledger row may get another wrapping of its key, and nothing else of it may ever change: rotating the keys rewraps.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_NEW = (
    """
    CREATE TABLE ledger (
        payment_id uuid NOT NULL,
        number integer NOT NULL CHECK (number > 0),
        booked_at timestamptz NOT NULL DEFAULT now(),
        key_id text NOT NULL,
        wrapped_key bytea NOT NULL,
        sealed bytea NOT NULL,
        PRIMARY KEY (payment_id, number)
    )
    """,
    # rows come in the order of time: a few bytes for each hundred pages find a day
    "CREATE INDEX ledger_booked_at ON ledger USING brin (booked_at)",
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the ledger is never altered: correct it by a reverse entry'
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER ledger_is_immutable BEFORE UPDATE OF payment_id, number, booked_at, sealed OR DELETE ON ledger
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    "CREATE TRIGGER ledger_stays BEFORE TRUNCATE ON ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    # the runtime role, whatever its name, was granted everything when the table was made
    """
    DO $$
    DECLARE other text;
    BEGIN
        FOR other IN SELECT DISTINCT grantee FROM information_schema.role_table_grants
            WHERE table_name = 'ledger' AND grantee <> current_user AND grantee <> 'PUBLIC'
        LOOP
            EXECUTE format('REVOKE ALL ON ledger FROM %I', other);
            EXECUTE format('GRANT SELECT, INSERT, UPDATE (key_id, wrapped_key) ON ledger TO %I', other);
        END LOOP;
    END $$
    """,
    "CREATE TABLE erasures (customer_ix uuid PRIMARY KEY, heard_at timestamptz NOT NULL DEFAULT now())",
    """
    CREATE TABLE reconciliations (
        day date PRIMARY KEY,
        wanted boolean NOT NULL DEFAULT false,
        written_at timestamptz,
        sealed bytea
    )
    """,
    "ALTER TABLE notices ADD COLUMN payment_id uuid",
)


def upgrade() -> None:
    """Create what is new."""
    for statement in _NEW:
        op.execute(statement)
