"""Room for more channels than mail, preferences, templates of staff, campaigns, and the index of the undelivered."""

from alembic import op

revision = "0004"
down_revision = "0003"

# started_at: a call to a provider began and its outcome is not written. filed_at: what the message said lies in the
# `undelivered` store and no longer here. facts counts what was published about it.
_MESSAGES = """
ALTER TABLE messages
    ADD COLUMN phone text, ADD COLUMN started_at timestamptz, ADD COLUMN first_tried_at timestamptz,
    ADD COLUMN facts integer NOT NULL DEFAULT 0, ADD COLUMN provider text, ADD COLUMN campaign_id uuid,
    ADD COLUMN failed_at timestamptz, ADD COLUMN filed_at timestamptz, ADD COLUMN expires_at timestamptz,
    ADD COLUMN wanted_at timestamptz,
    DROP CONSTRAINT messages_state_check, DROP CONSTRAINT messages_check, DROP CONSTRAINT messages_check1,
    ADD CONSTRAINT messages_state CHECK (state IN
        ('queued', 'sending', 'unknown', 'retrying', 'delivered', 'failed', 'skipped', 'discarded')) NOT VALID,
    ADD CONSTRAINT messages_recipient CHECK (coalesce(user_id::text, email, phone) IS NOT NULL) NOT VALID,
    ADD CONSTRAINT messages_over CHECK
        ((due_at IS NULL) = (state IN ('delivered', 'failed', 'skipped', 'discarded'))) NOT VALID
"""
_VALIDATE = ("messages_state", "messages_recipient", "messages_over")
# `open` is what channels and categories together let through, as `orders/email`.
_PREFERENCES = """
CREATE TABLE preferences (
    user_id uuid PRIMARY KEY, locale text, timezone text, quiet_from time, quiet_to time, device text,
    channels jsonb NOT NULL, categories jsonb NOT NULL, open text[] NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
)
"""
# scope is a category, or `all` for an address that does not exist; in force once `since` is set.
_SUPPRESSIONS = """
CREATE TABLE suppressions (
    channel text, address text, scope text, bounces integer NOT NULL DEFAULT 0, since timestamptz, reason text,
    PRIMARY KEY (channel, address, scope)
)
"""
_TEMPLATES = """
CREATE TABLE templates (
    name text, channel text, locale text, version integer, subject text NOT NULL, html text NOT NULL,
    text text NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), created_by uuid NOT NULL,
    PRIMARY KEY (name, channel, locale, version)
)
"""
# place is how far the audience has been written out: a user's id, or a line of what was uploaded.
_CAMPAIGNS = """
CREATE TABLE campaigns (
    id uuid PRIMARY KEY, template text NOT NULL, channel text NOT NULL, data jsonb NOT NULL, audience jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'running', 'paused', 'cancelled', 'done')),
    total integer NOT NULL, place text, written boolean NOT NULL DEFAULT false,
    created_by uuid NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz
)
"""
_RECIPIENTS = """
CREATE TABLE campaign_recipients (
    campaign_id uuid REFERENCES campaigns ON DELETE CASCADE, line bigint GENERATED ALWAYS AS IDENTITY,
    user_id uuid, address text, PRIMARY KEY (campaign_id, line),
    CHECK ((user_id IS NULL) <> (address IS NULL))
)
"""
# Ids of people who asked to be forgotten: a fact about them that comes late must not bring them back.
_ERASED = "CREATE TABLE erased (user_id uuid PRIMARY KEY, erased_at timestamptz NOT NULL DEFAULT now())"
# Documents in the `undelivered` store that are of no more use; they are removed outside of any transaction.
_SHREDS = "CREATE TABLE shreds (message_id uuid PRIMARY KEY)"
_INDEXES = (
    "messages_due_marketing ON messages (due_at) WHERE due_at IS NOT NULL AND category = 'marketing'",
    "messages_of_campaign ON messages (campaign_id, state) WHERE campaign_id IS NOT NULL",
    "messages_to_file ON messages (id) WHERE state = 'failed' AND filed_at IS NULL",
    "messages_failed_by ON messages (template, channel, id) WHERE state = 'failed'",
    "messages_wanted ON messages (id) WHERE state = 'failed' AND wanted_at IS NOT NULL",
    "messages_expiring ON messages (expires_at) WHERE state = 'failed' AND expires_at IS NOT NULL",
    "campaign_recipients_of_user ON campaign_recipients (user_id) WHERE user_id IS NOT NULL",
    "contacts_of_locale ON contacts (locale, user_id)",
)


def upgrade() -> None:
    """Add everything; the checks are validated, and the indexes built, while others work."""
    op.execute(_MESSAGES)
    for table in (_PREFERENCES, _SUPPRESSIONS, _TEMPLATES, _CAMPAIGNS, _RECIPIENTS, _ERASED, _SHREDS):
        op.execute(table)
    with op.get_context().autocommit_block():
        for constraint in _VALIDATE:
            op.execute(f"ALTER TABLE messages VALIDATE CONSTRAINT {constraint}")
        for index in _INDEXES:
            name = index.partition(" ")[0]
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {index}")


def downgrade() -> None:
    """Refuse: messages of other channels would have nowhere to go."""
    raise NotImplementedError("messages of channels that were added since would be lost; send or discard them first")
