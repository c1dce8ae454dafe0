"""What people want to be told, by which way, and when they want quiet."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.notifications.domain import Category
from apps.notifications.letters import Letter
from apps.notifications.schemas import Categories, Channels, Preferences
from apps.notifications.shipped import channels as written_for
from apps.notifications.sources import Channel

_GET = Hot("""
SELECT p.locale, p.timezone, p.quiet_from, p.quiet_to, p.device, p.digest, p.channels, p.categories,
    c.locale AS own_locale, c.timezone AS own_timezone
FROM (SELECT CAST(:user_id AS uuid) AS user_id) AS one
LEFT JOIN preferences p USING (user_id) LEFT JOIN contacts c USING (user_id)
""")
_PUT = Hot("""
INSERT INTO preferences (user_id, locale, timezone, quiet_from, quiet_to, device, digest, channels, categories, open)
VALUES (:user_id, :locale, :timezone, :quiet_from, :quiet_to, :device, :digest, CAST(:channels AS jsonb),
    CAST(:categories AS jsonb), CAST(:open AS text[]))
ON CONFLICT (user_id) DO UPDATE SET locale = excluded.locale, timezone = excluded.timezone,
    quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to, device = excluded.device,
    digest = excluded.digest,
    channels = excluded.channels, categories = excluded.categories, open = excluded.open, updated_at = now()
""")
_LOCK = Hot("SELECT pg_advisory_xact_lock(hashtextextended('preferences:' || CAST(:user_id AS text), 0))")
_WAYS = Hot("""
SELECT p.user_id, p.open, c.phone FROM preferences p LEFT JOIN contacts c USING (user_id)
WHERE p.user_id = ANY(CAST(:ids AS uuid[]))
""")


async def get(tx: AsyncSession, user_id: UUID) -> Preferences:
    """Return what *user_id* wants; who never said gets mail about everything."""
    (row,) = await _GET.run(tx, user_id=user_id)
    told: dict[str, Any] = {"device": row.device, "digest": row.digest}
    if row.channels is not None:
        told |= {"channels": row.channels, "categories": row.categories}
    if row.quiet_from is not None:
        told["quiet_hours"] = {"from": row.quiet_from, "to": row.quiet_to}
    told |= {"locale": row.locale or row.own_locale or "en", "timezone": row.timezone or row.own_timezone or "UTC"}
    return Preferences.model_validate(told)


async def put(tx: AsyncSession, user_id: UUID, wanted: Preferences) -> Preferences:
    """Keep what *user_id* wants from now on; messages that wait already heed it."""
    quiet = wanted.quiet_hours
    await _PUT.run(
        tx,
        user_id=user_id,
        locale=wanted.locale,
        timezone=wanted.timezone,
        quiet_from=quiet and quiet.begins,
        quiet_to=quiet and quiet.ends,
        device=wanted.device,
        digest=wanted.digest,
        channels=wanted.channels.model_dump_json(),
        categories=wanted.categories.model_dump_json(),
        open=open_ways(wanted.channels, wanted.categories),
    )
    return wanted


async def decline_marketing(tx: AsyncSession, user_id: UUID) -> None:
    """Send *user_id* no more marketing mail; the rest stays as it is."""
    await _LOCK.run(tx, user_id=user_id)
    now = await get(tx, user_id)
    marketing = now.categories.marketing.model_copy(update={"email": False})
    categories = now.categories.model_copy(update={"marketing": marketing})
    await put(tx, user_id, now.model_copy(update={"categories": categories}))


def open_ways(channels: Channels, categories: Categories) -> list[str]:
    """Return what both let through, as `orders/email`."""
    return [
        f"{category.value}/{channel.value}"
        for category in Category
        for channel in Channel
        if getattr(channels, channel) and getattr(getattr(categories, category), channel)
    ]


async def addressed_ways(tx: AsyncSession, letters: Sequence[Letter]) -> dict[int, tuple[Channel, ...]]:
    """Return by which ways each of *letters* goes, by its place; one look for all of them."""
    asking = sorted({letter.user_id for letter in letters if letter.channels is None and letter.user_id})
    rows = {row.user_id: row for row in await _WAYS.run(tx, ids=asking)} if asking else {}
    return {place: _ways(letter, rows) for place, letter in enumerate(letters)}


def _ways(letter: Letter, rows: Mapping[UUID, Any]) -> tuple[Channel, ...]:
    if letter.channels is not None:
        return letter.channels
    row = rows.get(letter.user_id) if letter.user_id else None
    if row is None:
        return (Channel.EMAIL,)
    able = written_for(letter.template)
    wanted = [
        channel
        for channel in Channel
        if f"{letter.category.value}/{channel.value}" in row.open
        and (channel is Channel.EMAIL or channel.value in able)
        and (channel is not Channel.SMS or row.phone)
    ]
    # by mail always what concerns security; and what nobody wants is kept as skipped, for people to see why
    if not wanted or (letter.category is Category.SECURITY and Channel.EMAIL not in wanted):
        wanted.insert(0, Channel.EMAIL)
    return tuple(wanted)
