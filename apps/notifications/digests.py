"""Digests: order news that waits for an hour its reader chose, and is told in one mail."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.notifications import use_cases
from apps.notifications.catalogue import Catalogue, UnknownTemplateError
from apps.notifications.digest_hours import TEMPLATE
from apps.notifications.domain import Category, Outcome
from apps.notifications.letters import Letter, key_of
from apps.notifications.rendering import RenderingError
from apps.notifications.sources import Channel

READERS_AT_ONCE: Final = 100
# More than anybody has of one day; what is beyond it is told in the next.
_MOST: Final = 100
_HOLD = Hot("""
UPDATE messages SET digest_at = told.at, due_at = 'infinity'
FROM unnest(CAST(:ids AS uuid[]), CAST(:at AS timestamptz[])) AS told (id, at)
WHERE messages.id = told.id AND state = 'queued'
""")
_READERS = Hot("""
SELECT DISTINCT user_id FROM (
    SELECT user_id FROM messages WHERE due_at = 'infinity' AND digest_at <= now() ORDER BY digest_at LIMIT :rows
) AS ready ORDER BY user_id LIMIT :readers
""")
# All that waits is told, also what was held back for a later hour: its reader may have chosen anew.
_TAKE = Hot("""
SELECT m.id, m.user_id, m.template, m.data, coalesce(m.locale, p.locale, c.locale) AS locale,
    coalesce(p.timezone, c.timezone) AS timezone, c.name
FROM messages m LEFT JOIN preferences p USING (user_id) LEFT JOIN contacts c USING (user_id)
WHERE m.user_id = ANY(CAST(:readers AS uuid[])) AND m.due_at = 'infinity' AND m.digest_at IS NOT NULL
ORDER BY m.user_id, m.id FOR UPDATE OF m SKIP LOCKED
""")
_GATHERED = Hot("""
UPDATE messages SET state = 'gathered', due_at = NULL, digest_at = NULL, reason = 'told in a digest'
WHERE id = ANY(CAST(:ids AS uuid[]))
""")
_ALONE = Hot("UPDATE messages SET due_at = now(), digest_at = '-infinity' WHERE id = ANY(CAST(:ids AS uuid[]))")


async def hold(tx: AsyncSession, outcomes: Sequence[Outcome]) -> None:
    """Keep what waits for its digest from being sent by itself."""
    held = sorted((outcome.message_id, outcome.due_at) for outcome in outcomes if outcome.digested and outcome.due_at)
    if held:
        await _HOLD.run(tx, ids=[id_ for id_, _ in held], at=[at for _, at in held])


async def gather(tx: AsyncSession, catalogue: Catalogue) -> int:
    """Make one mail of all that waits for each of some readers whose hour has come; return how many readers."""
    ready = await _READERS.run(tx, rows=READERS_AT_ONCE * 10, readers=READERS_AT_ONCE)
    if not ready:
        return 0
    rows = await _TAKE.run(tx, readers=[row.user_id for row in ready])
    letters: list[Letter] = []
    gathered: list[UUID] = []
    alone: list[UUID] = []
    for user_id, group in groupby(rows, key=lambda row: row.user_id):
        told = list(group)[:_MOST]
        items = [item for row in told if (item := _item(catalogue, row))]
        # what cannot be told in short goes by itself, and says what is wrong with it
        if len(items) < len(told) or len(told) == 1:
            alone += [row.id for row in told]
            continue
        gathered += [row.id for row in told]
        letters.append(_letter(user_id, told, items))
    if letters:
        await use_cases.queue(tx, letters, [None] * len(letters))
        await _GATHERED.run(tx, ids=sorted(gathered))
    if alone:
        await _ALONE.run(tx, ids=sorted(alone))
    return len(ready)


def _letter(user_id: UUID, told: Sequence[Any], items: Sequence[dict[str, str]]) -> Letter:
    return Letter(
        dedup_key=key_of(TEMPLATE, *(str(row.id) for row in told)),
        category=Category.ORDERS,
        template=TEMPLATE,
        data=orjson.dumps({"items": items}).decode(),
        user_id=user_id,
        channels=(Channel.EMAIL,),
    )


def _item(catalogue: Catalogue, row: Any) -> dict[str, str] | None:
    """Return a message in short: as it would be pushed, or the subject of its mail; None where it does not render."""
    told = {"name": row.name, **row.data}
    try:
        try:
            short = catalogue.render(row.template, Channel.PUSH.value, row.locale, row.timezone, told)
        except UnknownTemplateError:
            short = catalogue.render(row.template, Channel.EMAIL.value, row.locale, row.timezone, told)
            return {"subject": short.subject, "text": ""}
    except (RenderingError, UnknownTemplateError):
        return None
    return {"subject": short.subject, "text": short.text}
