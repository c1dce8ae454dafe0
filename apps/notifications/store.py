"""The queries about messages; one statement a batch, keys in sorted order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.codec import Codec
from apps.chassis.hot import Hot
from apps.notifications.domain import CODES, PRIORITIES, Category, Outcome
from apps.notifications.letters import Letter
from apps.notifications.messages import Message, context_of, message_of
from apps.notifications.sources import Channel

# How long the queue may take to bring a message before the sweeper fetches it.
GRACE = timedelta(seconds=30)
_A_DAY = timedelta(days=1)

_ADD = Hot("""
INSERT INTO messages
    (id, dedup_key, user_id, email, phone, locale, category, priority, channel, template, data, sealed, due_at,
     traceparent)
SELECT id, dedup_key, user_id, email, phone, locale, category, priority, channel, template, data, nullif(sealed, ''),
       coalesce(not_before, now() + :grace), nullif(traceparent, '')
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:dedup_keys AS uuid[]), CAST(:user_ids AS uuid[]), CAST(:emails AS text[]),
    CAST(:phones AS text[]), CAST(:locales AS text[]), CAST(:categories AS text[]), CAST(:priorities AS smallint[]),
    CAST(:channels AS text[]), CAST(:templates AS text[]), CAST(:data AS jsonb[]), CAST(:sealed AS bytea[]),
    CAST(:not_before AS timestamptz[]), CAST(:traces AS text[])
) AS letter
    (id, dedup_key, user_id, email, phone, locale, category, priority, channel, template, data, sealed, not_before,
     traceparent)
ON CONFLICT (dedup_key) DO NOTHING
RETURNING id, dedup_key
""")
_FIND = Hot("SELECT id FROM messages WHERE dedup_key = :key")
# `lost`: whoever held it before may have begun a call and did not live to write down its outcome, or noted its loss.
_CLAIM = """
WITH chosen AS ({chosen} FOR UPDATE SKIP LOCKED),
taken AS (
    UPDATE messages SET state = 'sending', holder = :holder, due_at = now() + :lease, attempts = attempts + 1,
        started_at = NULL, first_tried_at = coalesce(first_tried_at, now())
    FROM chosen WHERE messages.id = chosen.id
    RETURNING messages.*, chosen.lost
),
reached AS (
    SELECT taken.*, contacts.user_id IS NOT NULL AS known, contacts.name, preferences.open, preferences.digest,
        preferences.quiet_from, preferences.quiet_to,
        coalesce(taken.locale, preferences.locale, contacts.locale) AS place,
        coalesce(preferences.timezone, contacts.timezone) AS timezone,
        CASE taken.channel
            WHEN 'email' THEN coalesce(taken.email, contacts.email)
            WHEN 'sms' THEN coalesce(taken.phone, contacts.phone)
            ELSE coalesce(preferences.device, CAST(taken.user_id AS text)) END AS address
    FROM taken LEFT JOIN contacts USING (user_id) LEFT JOIN preferences USING (user_id)
)
SELECT id, user_id, channel, address, known, name, place AS locale, timezone, quiet_from, quiet_to,
    coalesce(category || '/' || channel <> ALL(open), false) AS declined,
    EXISTS (
        SELECT FROM suppressions s WHERE s.channel = reached.channel AND s.address = lower(reached.address)
            AND s.scope IN ('all', reached.category) AND s.since IS NOT NULL) AS suppressed,
    CASE WHEN category = 'marketing' THEN (
        SELECT count(*) FROM messages m WHERE m.user_id = reached.user_id AND m.id > :day_ago
            AND m.category = 'marketing' AND m.state = 'delivered' AND m.id <> reached.id) ELSE 0 END AS recent,
    CASE WHEN category = 'orders' AND channel = 'email' AND digest_at IS NULL AND template <> 'digest'
        THEN digest END AS digest,
    lost, category, priority, template, campaign_id, data, sealed, attempts, first_tried_at, traceparent
FROM reached ORDER BY priority, id
"""
# Only for text messages it is noted what was begun (queues.py).
_LOST = "(state = 'unknown' OR (state = 'sending' AND (started_at IS NOT NULL OR channel <> 'sms'))) AS lost"
_CLAIM_BROUGHT = Hot(
    _CLAIM.format(
        chosen=f"SELECT id, {_LOST} FROM messages "  # noqa: S608  # our own words
        "WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'queued' AND due_at < 'infinity' ORDER BY id"
    )
)
_DUE = (
    f"SELECT id, {_LOST} FROM messages "  # noqa: S608  # our own words
    "WHERE due_at <= now() AND category {which} ORDER BY due_at LIMIT :limit"
)
_CLAIM_DUE = Hot(_CLAIM.format(chosen=_DUE.format(which="<> 'marketing'")))
_CLAIM_DUE_MARKETING = Hot(_CLAIM.format(chosen=_DUE.format(which="= 'marketing'")))
_START = Hot(
    "UPDATE messages SET started_at = now() "
    "WHERE id = ANY(CAST(:ids AS uuid[])) AND holder = :holder AND state = 'sending' RETURNING id"
)
_RENEW = Hot(
    "UPDATE messages SET due_at = now() + :lease "
    "WHERE id = ANY(CAST(:ids AS uuid[])) AND holder = :holder AND state = 'sending' RETURNING id"
)
# What was not begun has no outcome to wait for; what was begun and not heard of has, whoever takes it up.
_RELEASE = Hot("""
UPDATE messages SET due_at = now(), started_at = CASE WHEN id = ANY(CAST(:idle AS uuid[])) THEN NULL ELSE started_at END
WHERE holder = :holder AND state = 'sending'
""")
# A delivered mail is delivered whoever holds the row by now; any other outcome is the present holder's to state.
# What a security mail said has no further use once it is sent, a code not even once it is given up. A deferral was no
# attempt.
_SETTLE = Hot("""
UPDATE messages SET
    state = outcome.state, reason = outcome.reason, due_at = outcome.due_at, holder = NULL, started_at = NULL,
    provider = coalesce(outcome.provider, messages.provider),
    attempts = attempts - CASE WHEN outcome.state = 'queued' THEN 1 ELSE 0 END,
    first_tried_at = CASE WHEN outcome.state <> 'queued' THEN first_tried_at END,
    facts = facts + CASE WHEN outcome.state IN ('delivered', 'failed') THEN 1 ELSE 0 END,
    delivered_at = CASE WHEN outcome.state = 'delivered' THEN now() END,
    failed_at = CASE WHEN outcome.state = 'failed' THEN now() END,
    data = CASE WHEN outcome.state IN ('delivered', 'skipped') AND category = 'security' THEN '{}' ELSE data END,
    sealed = CASE WHEN outcome.state NOT IN ('delivered', 'skipped')
        AND NOT (outcome.state = 'failed' AND template = ANY(:codes)) THEN sealed END
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]), CAST(:due AS timestamptz[]),
    CAST(:providers AS text[])
) AS outcome (id, state, reason, due_at, provider)
WHERE messages.id = outcome.id AND messages.state <> 'delivered'
  AND (messages.holder = :holder OR outcome.state = 'delivered')
RETURNING messages.id, user_id, template, category, channel, campaign_id, facts, messages.state, messages.reason,
    messages.traceparent
""")
_LIST = Hot("""
SELECT id, category, template, channel, state AS status, created_at, delivered_at FROM messages
WHERE user_id = :user_id AND id < :before ORDER BY id DESC LIMIT :limit
""")


async def add(tx: AsyncSession, letters: Sequence[Letter]) -> dict[UUID, UUID]:
    """Queue what was not queued before, each letter by the first of its channels; return new ids by key."""
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
        phones=[letter.phone for letter in ordered],
        locales=[letter.locale for letter in ordered],
        categories=[letter.category.value for letter in ordered],
        priorities=[PRIORITIES[letter.category] for letter in ordered],
        channels=[(letter.channels or (Channel.EMAIL,))[0].value for letter in ordered],
        templates=[letter.template for letter in ordered],
        data=["{}" if hide else letter.data for letter, hide in zip(ordered, secret, strict=True)],
        sealed=[
            codec.seal(letter.data.encode(), context_of(id_)) if hide else b""
            for id_, letter, hide in zip(ids, ordered, secret, strict=True)
        ],
        not_before=[letter.not_before for letter in ordered],
        traces=[letter.trace or "" for letter in ordered],
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
    rows = await _CLAIM_BROUGHT.run(tx, ids=sorted(ids), holder=holder, lease=lease, day_ago=_day_ago())
    return [message_of(row) for row in rows]


async def claim_due(
    tx: AsyncSession | AsyncConnection, limit: int, holder: str, lease: timedelta, *, marketing: bool = False
) -> list[Message]:
    """Take at most *limit* messages that the queue did not bring, a silent sender left, or a retry is due for."""
    due = _CLAIM_DUE_MARKETING if marketing else _CLAIM_DUE
    rows = await due.run(tx, limit=limit, holder=holder, lease=lease, day_ago=_day_ago())
    return [message_of(row) for row in rows]


async def start(tx: AsyncSession | AsyncConnection, ids: Sequence[UUID], holder: str) -> set[UUID]:
    """Note that *ids* are about to be handed to a provider; return those that are still the holder's."""
    return {row.id for row in await _START.run(tx, ids=sorted(ids), holder=holder)}


async def renew(tx: AsyncSession, ids: Sequence[UUID], holder: str, lease: timedelta) -> set[UUID]:
    """Prolong the lease of *ids*; return those that are still the holder's."""
    return {row.id for row in await _RENEW.run(tx, ids=sorted(ids), holder=holder, lease=lease)}


async def release(tx: AsyncSession, holder: str, idle: Sequence[UUID] = ()) -> None:
    """Make all that *holder* has claimed due at once; no call was begun for those that are *idle*."""
    await _RELEASE.run(tx, holder=holder, idle=list(idle))


async def settle(tx: AsyncSession | AsyncConnection, outcomes: Sequence[Outcome], holder: str) -> list[Any]:
    """Write down what became of messages; return the rows that this changed."""
    return await _SETTLE.run(
        tx,
        ids=[outcome.message_id for outcome in outcomes],
        states=[outcome.state.value for outcome in outcomes],
        reasons=[_storable(outcome.reason) for outcome in outcomes],
        due=[outcome.due_at for outcome in outcomes],
        providers=[outcome.provider for outcome in outcomes],
        codes=CODES,
        holder=holder,
    )


async def list_of_user(tx: AsyncSession, user_id: UUID, before: UUID, limit: int) -> list[dict[str, Any]]:
    """Return what was written to *user_id*, newest first, with ids below *before*."""
    return [row._asdict() for row in await _LIST.run(tx, user_id=user_id, before=before, limit=limit)]


def _storable(reason: str | None) -> str | None:
    """Replace what PostgreSQL's text cannot hold: a provider's odd report must not keep all outcomes unwritten."""
    return reason and reason.encode(errors="replace").decode().replace("\x00", "?")


def _day_ago() -> UUID:
    """Return an id above all that were given more than a day ago: they begin with their time."""
    milliseconds = int((datetime.now(UTC) - _A_DAY).timestamp() * 1000)
    return UUID(int=milliseconds << 80)
