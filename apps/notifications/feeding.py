"""Writes campaigns out, a batch at a time and never far ahead of what is sent; any replica may, one at a time each."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.chassis.database import Database
from apps.chassis.hot import Hot
from apps.contracts.notifications import OutgoingMarketing

_EVERY_S: Final = 2.0
_WHILE_FULL_S: Final = 0.1
# A word in the queue for each hundred: whoever hears it takes what is due, and its length tells how many senders help.
_PER_WORD: Final = 100
_NEXT = Hot("""
SELECT c.id, c.audience ? 'uploaded' AS uploaded, c.audience->>'locale' AS locale, coalesce(c.place, '') AS place,
    (SELECT count(*) FROM (SELECT FROM messages m WHERE m.campaign_id = c.id AND m.state = 'queued' LIMIT :ahead) q)
    AS waiting
FROM campaigns c WHERE c.status = 'running' AND NOT c.written ORDER BY waiting, c.id LIMIT 1 FOR UPDATE SKIP LOCKED
""")
_WRITE: Final = """
WITH people AS MATERIALIZED ({people}),
added AS (
    INSERT INTO messages (id, dedup_key, user_id, email, phone, category, priority, channel, template, data, due_at,
        campaign_id)
    SELECT uuidv7(), CAST(md5(c.id || '/' || coalesce(CAST(p.user_id AS text), p.address)) AS uuid), p.user_id,
        p.address, NULL, 'marketing', 2, c.channel, c.template, c.data, now(), c.id
    FROM people p CROSS JOIN campaigns c WHERE c.id = :id
    ON CONFLICT (dedup_key) DO NOTHING RETURNING id
),
moved AS (
    UPDATE campaigns SET place = coalesce((SELECT max(place COLLATE "C") FROM people), place),
        written = (SELECT count(*) FROM people) < :batch
    WHERE id = :id
)
SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM added) AS numbered WHERE (n - 1) % :per_word = 0
"""
_BY_FILTER = Hot(
    _WRITE.format(
        people="SELECT user_id, NULL AS address, CAST(user_id AS text) AS place FROM contacts "
        "WHERE user_id > CAST(coalesce(nullif(:place, ''), '00000000-0000-0000-0000-000000000000') AS uuid) "
        "AND (CAST(:locale AS text) IS NULL OR locale = :locale OR locale LIKE :locale || '-%') "
        "ORDER BY user_id LIMIT :batch"
    )
)
# Lines are numbers; as text they sort by length first once they are padded.
_UPLOADED = Hot(
    _WRITE.format(
        people="SELECT user_id, address, lpad(CAST(line AS text), 20, '0') AS place FROM campaign_recipients "
        "WHERE campaign_id = :id AND line > CAST(coalesce(nullif(:place, ''), '0') AS bigint) "
        "AND CAST(:locale AS text) IS NULL ORDER BY line LIMIT :batch"
    )
)
_DONE = Hot("""
UPDATE campaigns c SET status = 'done', finished_at = now() WHERE status = 'running' AND written AND NOT EXISTS (
    SELECT FROM messages m WHERE m.campaign_id = c.id AND m.state IN ('queued', 'sending', 'retrying', 'unknown'))
""")
# What was in a sender's hands when its campaign was paused, and came back.
_HOLD = Hot("""
UPDATE messages m SET due_at = 'infinity' FROM campaigns c
WHERE c.status = 'paused' AND m.campaign_id = c.id AND m.state IN ('queued', 'retrying') AND m.due_at < 'infinity'
""")


@dataclass(slots=True)
class Feeder:
    """One process' hand in writing campaigns out."""

    database: Database
    batch: int
    ahead: int
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self) -> None:
        """Write a batch where there is one to write; rest where there is none."""
        async with self.database.transaction() as tx:
            wrote = await self._write(tx)
            if wrote is None:
                await _DONE.run(tx)
                await _HOLD.run(tx)
        if wrote:
            return
        self.called.clear()
        rest = _EVERY_S if wrote is None else _WHILE_FULL_S
        try:
            await asyncio.wait_for(self.called.wait(), rest)
        except TimeoutError:
            return

    async def _write(self, tx: AsyncSession) -> bool | None:
        """Return whether a batch was written; None where no campaign waits for it."""
        found = await _NEXT.run(tx, ahead=self.ahead)
        if not found:
            return None
        campaign = found[0]
        if campaign.waiting >= self.ahead:
            return False
        statement = _UPLOADED if campaign.uploaded else _BY_FILTER
        rows = await statement.run(
            tx,
            id=campaign.id,
            place=campaign.place,
            locale=None if campaign.uploaded else campaign.locale,
            batch=self.batch,
            per_word=_PER_WORD,
        )
        for row in rows:
            outbox.record(tx, OutgoingMarketing(message_id=row.id, sequence=1))
        return True
