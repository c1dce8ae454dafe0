"""The local copy of how people are reached, so that users may be away; and forgetting them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.contracts.users import Contact

# A fact about somebody who asked to be forgotten may come late, and does not bring them back.
_KEEP = Hot("""
INSERT INTO contacts (user_id, email, name, phone, locale, timezone, sequence)
SELECT * FROM unnest(
    CAST(:user_ids AS uuid[]), CAST(:emails AS text[]), CAST(:names AS text[]), CAST(:phones AS text[]),
    CAST(:locales AS text[]), CAST(:timezones AS text[]), CAST(:sequences AS bigint[])
) AS told (user_id, email, name, phone, locale, timezone, sequence)
WHERE NOT EXISTS (SELECT FROM erased WHERE erased.user_id = told.user_id)
ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, name = excluded.name, phone = excluded.phone,
    locale = excluded.locale, timezone = excluded.timezone, sequence = excluded.sequence
WHERE contacts.sequence < excluded.sequence
""")
_NOTE = Hot("INSERT INTO erased (user_id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING")
_FORGET = (
    Hot("""
    DELETE FROM suppressions s USING contacts c
    WHERE c.user_id = ANY(CAST(:ids AS uuid[])) AND s.address IN (lower(c.email), c.phone)
    """),
    Hot("DELETE FROM contacts WHERE user_id = ANY(CAST(:ids AS uuid[]))"),
    Hot("DELETE FROM preferences WHERE user_id = ANY(CAST(:ids AS uuid[]))"),
    Hot("DELETE FROM campaign_recipients WHERE user_id = ANY(CAST(:ids AS uuid[]))"),
)
# What a message said may lie in the `undelivered` store as well, until somebody shreds it.
_FORGET_MESSAGES = Hot("""
WITH gone AS (DELETE FROM messages WHERE user_id = ANY(CAST(:ids AS uuid[])) RETURNING id, expires_at)
INSERT INTO shreds (message_id) SELECT id FROM gone WHERE expires_at IS NOT NULL ON CONFLICT DO NOTHING
""")


async def keep(tx: AsyncSession, contacts: Sequence[Contact]) -> None:
    """Keep the newest of each person's contacts, whatever the order they come in."""
    newest = {contact.user_id: contact for contact in sorted(contacts, key=lambda contact: contact.sequence)}
    ordered = [newest[user_id] for user_id in sorted(newest)]
    await _KEEP.run(
        tx,
        user_ids=[contact.user_id for contact in ordered],
        emails=[contact.email for contact in ordered],
        names=[contact.name for contact in ordered],
        phones=[contact.phone for contact in ordered],
        locales=[contact.locale for contact in ordered],
        timezones=[contact.timezone for contact in ordered],
        sequences=[contact.sequence for contact in ordered],
    )


async def forget(tx: AsyncSession, user_ids: Sequence[UUID]) -> None:
    """Destroy all that is kept of *user_ids*."""
    ids = sorted(set(user_ids))
    await _NOTE.run(tx, ids=ids)
    for statement in _FORGET:
        await statement.run(tx, ids=ids)
    await _FORGET_MESSAGES.run(tx, ids=ids)
