"""What staff and support do: templates, campaigns, and what did not arrive."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Response

from apps.chassis.app import Here
from apps.chassis.auth import Staff, Support
from apps.chassis.database import Tx, afterwards
from apps.chassis.idempotency import OnceOnly
from apps.chassis.problems import may
from apps.chassis.texts import STORABLE
from apps.notifications import campaigns, failed_messages, wordings
from apps.notifications.campaigns import Audience, CampaignView, StartCampaign
from apps.notifications.domain import Category
from apps.notifications.failed_messages import Count, Filter, UndeliveredPage, UndeliveredView
from apps.notifications.routes import Room
from apps.notifications.schemas import Locale, TemplateName
from apps.notifications.sources import Channel
from apps.notifications.wordings import Preview, Previewed, TemplateBody, TemplateView

router = APIRouter()
Limit = Annotated[int, Query(ge=1, le=100)]
Name = Annotated[TemplateName, Path()]
Place = Annotated[Locale, Path()]
_LAST = UUID(int=(1 << 128) - 1)


@router.get("/templates", tags=["templates"])
async def list_templates(_caller: Staff, office: Room) -> dict[str, Any]:
    """List every template, channel and locale, with the version that serves."""
    found = [(key, office.catalogue.version(key)) for key in office.catalogue.known()]
    items = [
        {"name": name, "channel": channel, "locale": locale, "version": version.number}
        for (name, channel, locale), version in found
        if version
    ]
    return {"items": items, "next": None}


@router.get("/templates/{name}/{channel}/{locale}", tags=["templates"], responses=may(404))
async def show_template(
    _caller: Staff, office: Room, response: Response, name: Name, channel: Channel, locale: Place
) -> TemplateView:
    """Show what serves."""
    found = wordings.view(office.catalogue, (name, channel.value, locale))
    response.headers["ETag"] = f'"{found.version}"'
    return found


@router.put("/templates/{name}/{channel}/{locale}", tags=["templates"], responses=may(412))
async def write_template(  # noqa: PLR0917  # FastAPI passes them by name
    caller: Staff,
    office: Room,
    chassis: Here,
    response: Response,
    name: Name,
    channel: Channel,
    locale: Place,
    body: TemplateBody,
    if_match: Annotated[str | None, Header(max_length=40)] = None,
) -> TemplateView:
    """Keep another version; what asks for a variable that it is not given is refused at once."""
    expected = int(if_match.strip('"')) if if_match and if_match.strip('"').isdecimal() else None
    async with chassis.database.transaction() as tx:
        kept = await wordings.put(tx, (name, channel.value, locale), body, caller.id, expected)
    await wordings.refresh(chassis.database, office.catalogue)
    response.headers["ETag"] = f'"{kept.version}"'
    return kept


@router.post("/templates/{name}/{channel}/{locale}/preview", tags=["templates"])
async def preview_template(
    _caller: Staff, office: Room, name: Name, channel: Channel, locale: Place, wanted: Preview
) -> Previewed:
    """Show what would go out, from what serves or from a body not kept yet."""
    return wordings.preview(office.catalogue, (name, channel.value, locale), wanted)


@router.get("/undelivered", tags=["undelivered"])
async def list_undelivered(  # noqa: PLR0917  # FastAPI passes them by name
    _caller: Support,
    tx: Tx,
    channel: Channel | None = None,
    template: Annotated[str | None, Query(max_length=64, pattern=STORABLE)] = None,
    category: Category | None = None,
    limit: Limit = 50,
    cursor: UUID | None = None,
) -> UndeliveredPage:
    """List what did not arrive, newest first."""
    wanted = Filter(channel=channel, template=template, category=category)
    return await failed_messages.list_by_filter(tx, wanted, cursor, limit)


@router.post("/undelivered/redeliver", status_code=202, tags=["undelivered"])
async def redeliver_all(_caller: Support, tx: Tx, office: Room, wanted: Filter) -> Count:
    """Send again all that fit, in the background."""
    afterwards(tx, office.cabinet.called.set)
    return await failed_messages.want_all(tx, wanted)


@router.get("/undelivered/{message_id}", tags=["undelivered"], responses=may(404))
async def show_undelivered(_caller: Support, chassis: Here, office: Room, message_id: UUID) -> UndeliveredView:
    """Show one with what it was to say; never what a security message said."""
    async with chassis.database.transaction() as tx:
        row = await failed_messages.get(tx, message_id)
    content = {"data": row.data} if row.filed_at is None else await office.cabinet.content(message_id)
    shown = UndeliveredView.model_validate(row._asdict() | {"data": None})
    if content is None or shown.category is Category.SECURITY:
        return shown
    return shown.model_copy(update={"data": content["data"]})


@router.post("/undelivered/{message_id}/redeliver", status_code=202, tags=["undelivered"], responses=may(404, 409))
async def redeliver(_caller: Support, tx: Tx, office: Room, message_id: UUID) -> Count:
    """Send one again, in the background."""
    afterwards(tx, office.cabinet.called.set)
    await failed_messages.want(tx, message_id)
    return Count(count=1)


@router.delete("/undelivered/{message_id}", status_code=204, tags=["undelivered"], responses=may(404))
async def discard(_caller: Support, tx: Tx, message_id: UUID) -> Response:
    """Forget one for good."""
    await failed_messages.discard(tx, message_id)
    return Response(status_code=204)


@router.post("/campaigns", status_code=201, tags=["campaigns"], response_model=CampaignView, responses=may(409))
async def start_campaign(caller: Staff, tx: Tx, once: OnceOnly, office: Room, command: StartCampaign) -> Response:
    """Write to many."""
    id_ = await campaigns.create(tx, office.catalogue, command, caller.id)
    afterwards(tx, office.feeder.called.set)
    return await once.reply(await campaigns.get(tx, id_), 201, {"Location": f"/campaigns/{id_}"})


@router.get("/campaigns", tags=["campaigns"])
async def list_campaigns(_caller: Staff, tx: Tx, limit: Limit = 20, cursor: UUID | None = None) -> dict[str, Any]:
    """List campaigns, newest first."""
    items = await campaigns.list_newest(tx, cursor or _LAST, limit)
    return {"items": items, "next": items[-1].id if len(items) == limit else None}


@router.get("/campaigns/{campaign_id}", tags=["campaigns"], responses=may(404))
async def show_campaign(_caller: Staff, tx: Tx, campaign_id: UUID) -> CampaignView:
    """Show how far one is."""
    return await campaigns.get(tx, campaign_id)


@router.post("/campaigns/{campaign_id}/recipients", tags=["campaigns"], responses=may(404, 409))
async def add_recipients(_caller: Staff, tx: Tx, campaign_id: UUID, audience: Audience) -> CampaignView:
    """Add named people to a draft."""
    await campaigns.extend(tx, campaign_id, audience)
    return await campaigns.get(tx, campaign_id)


@router.post("/campaigns/{campaign_id}/start", tags=["campaigns"], responses=may(404, 409))
async def start_one(_caller: Staff, tx: Tx, office: Room, campaign_id: UUID) -> CampaignView:
    """Begin a draft."""
    return await _move(tx, office, campaign_id, "start")


@router.post("/campaigns/{campaign_id}/pause", tags=["campaigns"], responses=may(404, 409))
async def pause_one(_caller: Staff, tx: Tx, office: Room, campaign_id: UUID) -> CampaignView:
    """Hold one; what is in hand at the moment is still sent."""
    return await _move(tx, office, campaign_id, "pause")


@router.post("/campaigns/{campaign_id}/resume", tags=["campaigns"], responses=may(404, 409))
async def resume_one(_caller: Staff, tx: Tx, office: Room, campaign_id: UUID) -> CampaignView:
    """Let one go on."""
    return await _move(tx, office, campaign_id, "resume")


@router.post("/campaigns/{campaign_id}/cancel", tags=["campaigns"], responses=may(404, 409))
async def cancel_one(_caller: Staff, tx: Tx, office: Room, campaign_id: UUID) -> CampaignView:
    """End one for good; what was not sent is skipped."""
    return await _move(tx, office, campaign_id, "cancel")


async def _move(tx: Tx, office: Room, campaign_id: UUID, step: str) -> CampaignView:
    moved = await campaigns.move(tx, campaign_id, step)
    afterwards(tx, office.feeder.called.set)
    return moved
