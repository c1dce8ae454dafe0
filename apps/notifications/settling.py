"""What became of messages, written down, with all that follows from it."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from apps.notifications import digests, facts, store, suppressions
from apps.notifications.domain import Outcome


async def write(tx: AsyncSession, outcomes: Sequence[Outcome], holder: str) -> None:
    """Write down what became of messages, and promise to tell of them."""
    rows = await store.settle(tx, outcomes, holder)
    facts.record(tx, rows)
    await digests.hold(tx, outcomes)
    channels = {row.id: row.channel for row in rows}
    bounced = {o.bounced: channels[o.message_id] for o in outcomes if o.bounced and o.message_id in channels}
    if bounced:
        await suppressions.bounced(tx, bounced)
