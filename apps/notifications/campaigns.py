"""Campaigns: one message for many, written out in batches as they are sent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.hot import Hot
from apps.notifications.catalogue import Catalogue
from apps.notifications.rendering import RenderingError
from apps.notifications.schemas import Data, Email, Locale
from apps.notifications.sources import Channel
from apps.notifications.use_cases import TemplateMismatchError

_ADD = Hot("""
INSERT INTO campaigns (id, template, channel, data, audience, status, total, created_by)
VALUES (:id, :template, :channel, CAST(:data AS jsonb), CAST(:audience AS jsonb), :status, 0, :author)
""")
_UPLOAD = Hot("""
INSERT INTO campaign_recipients (campaign_id, user_id, address)
SELECT :id, user_id, address FROM unnest(CAST(:users AS uuid[]), CAST(:addresses AS text[])) AS told (user_id, address)
""")
# An audience by filter is everybody whose language it is; who declines is counted as skipped, for all to see.
_SIZE = Hot("""
UPDATE campaigns SET total = CASE WHEN audience ? 'uploaded'
    THEN (SELECT count(*) FROM campaign_recipients WHERE campaign_id = campaigns.id)
    ELSE (SELECT count(*) FROM contacts WHERE audience->>'locale' IS NULL
        OR locale = audience->>'locale' OR locale LIKE (audience->>'locale') || '-%') END
WHERE id = :id RETURNING total
""")
_GET = Hot("""
SELECT c.*, sum(n) FILTER (WHERE state = 'delivered') AS sent, sum(n) FILTER (WHERE state = 'failed') AS failed,
    sum(n) FILTER (WHERE state IN ('skipped', 'discarded')) AS skipped
FROM campaigns c LEFT JOIN (
    SELECT campaign_id, state, count(*) AS n FROM messages WHERE campaign_id = :id GROUP BY campaign_id, state
) AS progress ON progress.campaign_id = c.id
WHERE c.id = :id GROUP BY c.id
""")
_LIST = Hot("SELECT id FROM campaigns WHERE id < :before ORDER BY id DESC LIMIT :limit")
_LOCK = Hot("SELECT status, audience FROM campaigns WHERE id = :id FOR UPDATE")
_SET = Hot("""
UPDATE campaigns SET status = :status, finished_at = CASE WHEN :status IN ('cancelled', 'done') THEN now() END
WHERE id = :id
""")
_HOLD = Hot("""
UPDATE messages SET due_at = 'infinity' WHERE campaign_id = :id AND state IN ('queued', 'retrying', 'unknown')
""")
_FREE = Hot("UPDATE messages SET due_at = now() WHERE campaign_id = :id AND due_at = 'infinity'")
_SKIP = Hot("""
UPDATE messages SET state = 'skipped', due_at = NULL, reason = 'the campaign was cancelled'
WHERE campaign_id = :id AND state IN ('queued', 'retrying')
""")

Status = Literal["draft", "running", "paused", "cancelled", "done"]
# what may follow what, and who is asked to do it
STEPS: dict[str, tuple[frozenset[str], Status]] = {
    "start": (frozenset({"draft"}), "running"),
    "pause": (frozenset({"running"}), "paused"),
    "resume": (frozenset({"paused", "draft"}), "running"),
    "cancel": (frozenset({"draft", "running", "paused"}), "cancelled"),
}


class CampaignNotFoundError(Exception):
    """There is no such campaign."""

    def __init__(self) -> None:
        super().__init__("There is no such campaign.")


class CampaignStateError(Exception):
    """The campaign is past that."""


class Audience(BaseModel):
    """Everybody (`{}`), everybody of a language, or those uploaded: users by id, or addresses alone."""

    model_config = ConfigDict(extra="forbid")

    locale: Locale | None = None
    user_ids: Annotated[list[UUID], Field(max_length=20_000)] | None = None
    emails: Annotated[list[Email], Field(max_length=20_000)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.locale and self.uploaded:
            raise ValueError("give either a filter or recipients")
        return self

    @property
    def uploaded(self) -> bool:
        """Tell whether its people are named."""
        return self.user_ids is not None or self.emails is not None


class StartCampaign(BaseModel):
    """A message for many; with `start` false it waits as a draft, to which recipients may be added."""

    model_config = ConfigDict(extra="forbid")

    template: Annotated[str, Field(max_length=64)]
    channel: Channel = Channel.EMAIL
    audience: Audience
    data: Data = {}
    start: bool = True

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.audience.emails and self.channel is not Channel.EMAIL:
            raise ValueError("addresses are for e-mail; name users by their ids")
        return self


class CampaignView(BaseModel):
    """How far a campaign is; `total` is its size as estimated when it was made."""

    id: UUID
    template: str
    channel: Channel
    status: Status
    total: int
    sent: int
    failed: int
    skipped: int
    created_at: datetime
    finished_at: datetime | None


async def create(tx: AsyncSession, catalogue: Catalogue, command: StartCampaign, author: UUID) -> UUID:
    """Keep a campaign and start it, unless it is a draft; its template is tried out first."""
    told = {"name": None, "unsubscribe_url": "", **command.data}
    try:
        catalogue.render(command.template, command.channel.value, None, None, told)
    except RenderingError as error:
        raise TemplateMismatchError(str(error)) from error
    id_ = uuid7()
    audience: dict[str, Any] = {"uploaded": True} if command.audience.uploaded else {"locale": command.audience.locale}
    await _ADD.run(
        tx,
        id=id_,
        template=command.template,
        channel=command.channel.value,
        data=orjson.dumps(command.data).decode(),
        audience=orjson.dumps(audience).decode(),
        status="running" if command.start else "draft",
        author=author,
    )
    await upload(tx, id_, command.audience)
    return id_


async def upload(tx: AsyncSession, id_: UUID, audience: Audience) -> None:
    """Add named people to a campaign, and estimate its size anew."""
    users: Sequence[UUID] = list(dict.fromkeys(audience.user_ids or []))
    emails = list(dict.fromkeys(audience.emails or []))
    if users or emails:
        await _UPLOAD.run(tx, id=id_, users=[*users, *[None] * len(emails)], addresses=[*[None] * len(users), *emails])
    await _SIZE.run(tx, id=id_)


async def extend(tx: AsyncSession, id_: UUID, audience: Audience) -> None:
    """Add named people to a draft that names its people."""
    row = await lock(tx, id_, frozenset({"draft"}), "be added to")
    if not audience.uploaded or "uploaded" not in row.audience:
        raise CampaignStateError("Only a campaign whose people are named can be given more of them, by name.")
    await upload(tx, id_, audience)


async def lock(tx: AsyncSession, id_: UUID, allowed: frozenset[str], step: str) -> Any:
    """Return a campaign that nobody else may move meanwhile; CampaignStateError where it is past *step*."""
    rows = await _LOCK.run(tx, id=id_)
    if not rows:
        raise CampaignNotFoundError
    if rows[0].status not in allowed:
        raise CampaignStateError(f"A campaign that is {rows[0].status} cannot {step}.")
    return rows[0]


async def move(tx: AsyncSession, id_: UUID, step: str) -> CampaignView:
    """Start, pause, resume or cancel; what a process has in hand at the moment is still sent."""
    allowed, status = STEPS[step]
    await lock(tx, id_, allowed, step)
    await _SET.run(tx, id=id_, status=status)
    for statement in {"pause": (_HOLD,), "resume": (_FREE,), "cancel": (_SKIP,)}.get(step, ()):
        await statement.run(tx, id=id_)
    return await get(tx, id_)


async def get(tx: AsyncSession, id_: UUID) -> CampaignView:
    """Return how far a campaign is."""
    rows = await _GET.run(tx, id=id_)
    if not rows:
        raise CampaignNotFoundError
    counted = {name: int(getattr(rows[0], name) or 0) for name in ("sent", "failed", "skipped")}
    return CampaignView.model_validate(rows[0]._asdict() | counted)


async def list_newest(tx: AsyncSession, before: UUID, limit: int) -> list[CampaignView]:
    """Return campaigns, newest first, with ids below *before*."""
    return [await get(tx, row.id) for row in await _LIST.run(tx, before=before, limit=limit)]
