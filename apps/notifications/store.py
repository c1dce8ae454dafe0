"""Every query; one statement a batch, keys in sorted order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.codec import Codec
from apps.chassis.hot import Hot
from apps.contracts.users import Contact
from apps.notifications.domain import PRIORITIES, Category, Outcome
from apps.notifications.letters import Letter

# How long the queue may take to bring a message before the sweeper fetches it.
GRACE = timedelta(seconds=30)

_ADD = Hot("""
INSERT INTO messages (id, dedup_key, user_id, email, locale, category, priority, template, data, sealed, due_at)
SELECT id, dedup_key, user_id, email, locale, category, priority, template, data, nullif(sealed, ''),
       coalesce(not_before, now() + :grace)
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:dedup_keys AS uuid[]), CAST(:user_ids AS uuid[]), CAST(:emails AS text[]),
    CAST(:locales AS text[]), CAST(:categories AS text[]), CAST(:priorities AS smallint[]), CAST(:templates AS text[]),
    CAST(:data AS jsonb[]), CAST(:sealed AS bytea[]), CAST(:not_before AS timestamptz[])
) AS letter (id, dedup_key, user_id, email, locale, category, priority, template, data, sealed, not_before)
ON CONFLICT (dedup_key) DO NOTHING
RETURNING id, dedup_key
""")
_FIND = Hot("SELECT id FROM messages WHERE dedup_key = :key")
_CLAIM = """
WITH chosen AS ({chosen} FOR UPDATE SKIP LOCKED),
taken AS (
    UPDATE messages SET state = 'sending', holder = :holder, due_at = now() + :lease, attempts = attempts + 1
    FROM chosen WHERE messages.id = chosen.id
    RETURNING messages.*
)
SELECT taken.id, taken.user_id, coalesce(taken.email, contacts.email) AS email, contacts.name,
       coalesce(taken.locale, contacts.locale) AS locale, contacts.timezone, taken.category, taken.priority,
       taken.template, taken.data, taken.sealed, taken.attempts, taken.created_at
FROM taken LEFT JOIN contacts USING (user_id) ORDER BY taken.priority, taken.id
"""
_CLAIM_BROUGHT = Hot(
    _CLAIM.format(
        chosen="SELECT id FROM messages WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'queued' ORDER BY id"
    )
)
_CLAIM_DUE = Hot(_CLAIM.format(chosen="SELECT id FROM messages WHERE due_at <= now() ORDER BY due_at LIMIT :limit"))
_RENEW = Hot(
    "UPDATE messages SET due_at = now() + :lease "
    "WHERE id = ANY(CAST(:ids AS uuid[])) AND holder = :holder AND state = 'sending' RETURNING id"
)
_RELEASE = Hot("UPDATE messages SET due_at = now() WHERE holder = :holder AND state = 'sending'")
# A delivered mail is delivered whoever holds the row by now; any other outcome is the present holder's to state.
# What a security mail said (a token) has no further use once it is sent or given up.
_SETTLE = Hot("""
UPDATE messages SET
    state = outcome.state, reason = outcome.reason, due_at = outcome.due_at, holder = NULL,
    delivered_at = CASE WHEN outcome.state = 'delivered' THEN now() END,
    data = CASE WHEN outcome.due_at IS NULL AND category = 'security' THEN '{}' ELSE data END,
    sealed = CASE WHEN outcome.due_at IS NOT NULL THEN sealed END
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]), CAST(:due AS timestamptz[])
) AS outcome (id, state, reason, due_at)
WHERE messages.id = outcome.id AND messages.state <> 'delivered'
  AND (messages.holder = :holder OR outcome.state = 'delivered')
""")
_KEEP_CONTACTS = Hot("""
INSERT INTO contacts (user_id, email, name, phone, locale, timezone, sequence)
SELECT * FROM unnest(
    CAST(:user_ids AS uuid[]), CAST(:emails AS text[]), CAST(:names AS text[]), CAST(:phones AS text[]),
    CAST(:locales AS text[]), CAST(:timezones AS text[]), CAST(:sequences AS bigint[])
)
ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, name = excluded.name, phone = excluded.phone,
    locale = excluded.locale, timezone = excluded.timezone, sequence = excluded.sequence
WHERE contacts.sequence < excluded.sequence
""")
_LIST = Hot("""
SELECT id, category, template, channel, state AS status, created_at, delivered_at FROM messages
WHERE user_id = :user_id AND id < :before ORDER BY id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed message; `email` is None while its contact is unknown, and what is `sealed` is not in `data`."""

    id: UUID
    user_id: UUID | None
    email: str | None
    name: str | None
    locale: str | None
    timezone: str | None
    category: Category
    priority: int
    template: str
    data: dict[str, Any]
    sealed: bytes | None
    attempts: int
    created_at: datetime


async def add(tx: AsyncSession, letters: Sequence[Letter]) -> dict[UUID, UUID]:
    """Queue what was not queued before; return the new ids by de-duplication key."""
    ordered = sorted({letter.dedup_key: letter for letter in letters}.values(), key=lambda letter: letter.dedup_key)
    ids = [uuid7() for _ in ordered]
    secret = [letter.category is Category.SECURITY for letter in ordered]
    codec: Codec = tx.info["codec"]
    rows = await _ADD.run(
        tx,
        ids=ids,
        dedup_keys=[letter.dedup_key for letter in ordered],
        user_ids=[letter.user_id for letter in ordered],
        emails=[letter.email for letter in ordered],
        locales=[letter.locale for letter in ordered],
        categories=[letter.category.value for letter in ordered],
        priorities=[PRIORITIES[letter.category] for letter in ordered],
        templates=[letter.template for letter in ordered],
        data=["{}" if hide else letter.data for letter, hide in zip(ordered, secret, strict=True)],
        sealed=[
            codec.seal(letter.data.encode(), _context(id_)) if hide else b""
            for id_, letter, hide in zip(ids, ordered, secret, strict=True)
        ],
        not_before=[letter.not_before for letter in ordered],
        grace=GRACE,
    )
    return {row.dedup_key: row.id for row in rows}


async def get_by_key(tx: AsyncSession, dedup_key: UUID) -> UUID:
    """Return the message that was queued under *dedup_key*."""
    (found,) = await _FIND.run(tx, key=dedup_key)
    id_: UUID = found.id
    return id_


async def claim(
    tx: AsyncSession | AsyncConnection, ids: Sequence[UUID], holder: str, lease: timedelta
) -> list[Message]:
    """Take the messages that the queue brought and nobody has taken."""
    return [_message(row) for row in await _CLAIM_BROUGHT.run(tx, ids=sorted(ids), holder=holder, lease=lease)]


async def claim_due(tx: AsyncSession, limit: int, holder: str, lease: timedelta) -> list[Message]:
    """Take at most *limit* messages that the queue did not bring, a silent sender left, or a retry is due for."""
    return [_message(row) for row in await _CLAIM_DUE.run(tx, limit=limit, holder=holder, lease=lease)]


async def renew(tx: AsyncSession, ids: Sequence[UUID], holder: str, lease: timedelta) -> set[UUID]:
    """Prolong the lease of *ids*; return those that are still the holder's."""
    return {row.id for row in await _RENEW.run(tx, ids=sorted(ids), holder=holder, lease=lease)}


async def release(tx: AsyncSession, holder: str) -> None:
    """Make all that *holder* has claimed due at once."""
    await _RELEASE.run(tx, holder=holder)


async def settle(tx: AsyncSession | AsyncConnection, outcomes: Sequence[Outcome], holder: str) -> None:
    """Write down what became of messages."""
    await _SETTLE.run(
        tx,
        ids=[outcome.message_id for outcome in outcomes],
        states=[outcome.state.value for outcome in outcomes],
        reasons=[_storable(outcome.reason) for outcome in outcomes],
        due=[outcome.due_at for outcome in outcomes],
        holder=holder,
    )


async def keep_contacts(tx: AsyncSession, contacts: Sequence[Contact]) -> None:
    """Keep the newest of each person's contacts, whatever the order they come in."""
    newest = {contact.user_id: contact for contact in sorted(contacts, key=lambda contact: contact.sequence)}
    ordered = [newest[user_id] for user_id in sorted(newest)]
    await _KEEP_CONTACTS.run(
        tx,
        user_ids=[contact.user_id for contact in ordered],
        emails=[contact.email for contact in ordered],
        names=[contact.name for contact in ordered],
        phones=[contact.phone for contact in ordered],
        locales=[contact.locale for contact in ordered],
        timezones=[contact.timezone for contact in ordered],
        sequences=[contact.sequence for contact in ordered],
    )


async def list_of_user(tx: AsyncSession, user_id: UUID, before: UUID, limit: int) -> list[dict[str, Any]]:
    """Return what was written to *user_id*, newest first, with ids below *before*."""
    return [row._asdict() for row in await _LIST.run(tx, user_id=user_id, before=before, limit=limit)]


def _storable(reason: str | None) -> str | None:
    """Replace what PostgreSQL's text cannot hold: a provider's odd report must not keep all outcomes unwritten."""
    return reason and reason.encode(errors="replace").decode().replace("\x00", "?")


def _message(row: Any) -> Message:
    return Message(**row._asdict() | {"category": Category(row.category)})


def contents(message: Message, codec: Codec) -> dict[str, Any]:
    """Return what its template asks for; ValueError where that was sealed under another key, or altered."""
    if message.sealed is None:
        return message.data
    opened: dict[str, Any] = orjson.loads(codec.open(message.sealed, _context(message.id)))
    return opened


def _context(id_: UUID) -> str:
    return f"messages:{id_}"


def addressed(message: Message, contact: Contact) -> Message:
    """Return *message* as it goes to *contact*."""
    return replace(
        message,
        email=contact.email,
        name=contact.name,
        locale=message.locale or contact.locale,
        timezone=contact.timezone,
    )
