"""The index of the undelivered: listed by filter, wanted again, discarded."""

from functools import cache
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.notifications.domain import CODES, Category
from apps.notifications.sources import Channel

_LAST = UUID(int=(1 << 128) - 1)
_FIELDS = """id, user_id, coalesce(email, phone) AS address, category, channel, template, provider, reason, attempts,
    created_at, failed_at, expires_at, wanted_at"""
_LISTED = "state = 'failed' AND coalesce(expires_at > now(), true)"
_CONDITIONS = {
    "channel": "channel = :channel",
    "template": "template = :template",
    "category": "category = :category",
    "since": "failed_at >= :since",
    "until": "failed_at < :until",
}
_LIST = "SELECT {fields} FROM messages WHERE {listed} AND id < :before ORDER BY id DESC LIMIT :limit"
_GET = Hot(f"SELECT {_FIELDS}, data, filed_at FROM messages WHERE id = :id AND state = 'failed'")  # noqa: S608
# A code that was not delivered is destroyed: there is nothing to send again.
_WANT = Hot("""
WITH found AS (SELECT id, template <> ALL(:codes) AS possible FROM messages WHERE id = :id AND state = 'failed'),
wanted AS (UPDATE messages SET wanted_at = now() FROM found WHERE messages.id = found.id AND possible)
SELECT possible FROM found
""")
_WANT_FEW = """
WITH few AS (
    SELECT id FROM messages WHERE {listed} AND wanted_at IS NULL AND template <> ALL(:codes)
    ORDER BY id LIMIT :limit FOR UPDATE
),
done AS (UPDATE messages SET wanted_at = now() FROM few WHERE messages.id = few.id RETURNING 1)
SELECT count(*) AS n FROM done
"""
# A statement is cut off after ten seconds, and a request at the edge after thirty.
_AT_ONCE, _STATEMENTS = 5_000, 4
_DISCARD = Hot("""
WITH gone AS (
    UPDATE messages SET state = 'discarded', wanted_at = NULL, data = '{}', sealed = NULL
    WHERE id = :id AND state = 'failed' RETURNING id, expires_at
), shredded AS (
    INSERT INTO shreds (message_id) SELECT id FROM gone WHERE expires_at IS NOT NULL ON CONFLICT DO NOTHING
)
SELECT id FROM gone
""")


class NotUndeliveredError(Exception):
    """There is no such undelivered message."""

    def __init__(self) -> None:
        super().__init__("There is no such undelivered message; it may have been sent again or discarded.")


class CodeIsGoneError(Exception):
    """The message held a code, which is destroyed."""

    def __init__(self) -> None:
        super().__init__("This held a code for one use, which is destroyed; have its reader ask for a new one.")


class Filter(BaseModel):
    """Which of the undelivered; what is left out does not matter."""

    model_config = ConfigDict(extra="forbid")

    channel: Channel | None = None
    template: str | None = None
    category: Category | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class UndeliveredView(BaseModel):
    """A message that did not arrive, and why."""

    id: UUID
    user_id: UUID | None
    address: str | None
    category: Category
    channel: Channel
    template: str
    provider: str | None
    reason: str | None
    attempts: int
    created_at: AwareDatetime
    failed_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    wanted_at: AwareDatetime | None
    """Set while it waits to be sent again."""
    data: dict[str, Any] | None = None
    """What its template was given; never shown of security messages, and only where one is looked at."""


class UndeliveredPage(BaseModel):
    """Newest first; `next` is the cursor of what follows."""

    items: list[UndeliveredView]
    next: UUID | None


class Count(BaseModel):
    """How many were meant; `more` where as many again may be asked for."""

    count: int
    more: bool = False


async def list_by_filter(tx: AsyncSession, wanted: Filter, before: UUID | None, limit: int) -> UndeliveredPage:
    """Return a page of what did not arrive."""
    values = _values(wanted)
    rows = await _filtered(_LIST, tuple(values)).run(tx, **values, before=before or _LAST, limit=limit)
    items = [UndeliveredView.model_validate(row._asdict()) for row in rows]
    return UndeliveredPage(items=items, next=items[-1].id if len(items) == limit else None)


async def get(tx: AsyncSession, id_: UUID) -> Any:
    """Return the row of one, or raise NotUndeliveredError."""
    rows = await _GET.run(tx, id=id_)
    if not rows:
        raise NotUndeliveredError
    return rows[0]


async def want(tx: AsyncSession, id_: UUID) -> None:
    """Note that one is to be sent again."""
    rows = await _WANT.run(tx, id=id_, codes=CODES)
    if not rows:
        raise NotUndeliveredError
    if not rows[0].possible:
        raise CodeIsGoneError


async def want_all(tx: AsyncSession, wanted: Filter) -> Count:
    """Note that all that fit are to be sent again, the oldest first; return how many, and whether there are more."""
    count, values = 0, _values(wanted)
    few = _filtered(_WANT_FEW, tuple(values))
    for _ in range(_STATEMENTS):
        (row,) = await few.run(tx, **values, codes=CODES, limit=_AT_ONCE)
        count += int(row.n)
        if row.n < _AT_ONCE:
            return Count(count=count)
    return Count(count=count, more=True)


async def discard(tx: AsyncSession, id_: UUID) -> None:
    """Forget what one said; the row remains, as its recipient's log."""
    if not await _DISCARD.run(tx, id=id_):
        raise NotUndeliveredError


def _values(wanted: Filter) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in _CONDITIONS if getattr(wanted, name) is not None}


@cache
def _filtered(statement: str, names: tuple[str, ...]) -> Hot:
    """Return *statement* with the conditions of a filter and no others, so that an index can serve them."""
    listed = " AND ".join([_LISTED, *(_CONDITIONS[name] for name in names)])
    return Hot(statement.format(fields=_FIELDS, listed=listed))
