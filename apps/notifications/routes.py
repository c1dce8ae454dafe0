from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import ValidationError
from starlette.responses import HTMLResponse

from apps.chassis.app import Here
from apps.chassis.auth import Caller, internal, public
from apps.chassis.database import Tx
from apps.chassis.idempotency import OnceOnly
from apps.chassis.problems import ProblemError, may
from apps.notifications import pages, preferences, receipts, use_cases
from apps.notifications.links import BadLinkError
from apps.notifications.office import Office
from apps.notifications.schemas import Accepted, NotificationPage, Preferences, SendNotification

router = APIRouter()
_NOT_A_LINK: dict[int | str, dict[str, Any]] = {
    400: {"description": "The link is not whole, said on a page", "content": {"text/html": {}}}
}


async def _office(chassis: Here) -> Office:
    office: Office = chassis.extra
    return office


Room = Annotated[Office, Depends(_office)]
Token = Annotated[str, Query(max_length=600)]
Language = Annotated[str | None, Header(alias="accept-language", max_length=1_000)]


@router.get("/notifications", tags=["notifications"])
async def list_notifications(
    caller: Caller, tx: Tx, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: UUID | None = None
) -> NotificationPage:
    """List what was written to the caller, newest first."""
    return await use_cases.page(tx, caller.id, cursor, limit)


@router.get("/preferences", tags=["preferences"], response_model_by_alias=True)
async def show_preferences(caller: Caller, tx: Tx) -> Preferences:
    """Show what the caller wants to be told, how, and when not."""
    return await preferences.get(tx, caller.id)


@router.put("/preferences", tags=["preferences"], response_model_by_alias=True)
async def keep_preferences(caller: Caller, tx: Tx, wanted: Preferences) -> Preferences:
    """Replace them; security mail is sent whatever they say."""
    return await preferences.put(tx, caller.id, wanted)


@router.get(
    "/unsubscribe", tags=["preferences"], dependencies=[public], response_class=HTMLResponse, responses=_NOT_A_LINK
)
async def ask_whether_to_unsubscribe(office: Room, token: Token = "", language: Language = None) -> Response:
    """Show a page with a button; scanners and previews that open the link change nothing."""
    try:
        office.links.read(token)
    except BadLinkError:
        return pages.bad(pages.language_of(language))
    return pages.ask(pages.language_of(language))


@router.post(
    "/unsubscribe", tags=["preferences"], dependencies=[public], response_class=HTMLResponse, responses=_NOT_A_LINK
)
async def unsubscribe(office: Room, tx: Tx, token: Token = "", language: Language = None) -> Response:
    """Send no more marketing mail: the page's button, or a mail program's one click, whatever the body says."""
    try:
        reader = office.links.read(token)
    except BadLinkError:
        return pages.bad(pages.language_of(language))
    await use_cases.unsubscribe(tx, reader)
    return pages.done(pages.language_of(language))


@router.post(
    "/receipts/{provider}", status_code=204, tags=["receipts"], dependencies=[public], responses=may(400, 401, 413)
)
async def take_receipts(provider: str, request: Request, office: Room, tx: Tx) -> Response:
    """Correct the log by what a provider says later, signed as Standard Webhooks has it."""
    del provider  # for logs and for rules on the way here
    body = await request.body()
    receipts.verify(office.receipts_secret, request.headers, body)
    try:
        told = receipts.Receipts.model_validate_json(body)
    except ValidationError as error:
        raise ProblemError(422, "receipts-not-valid", f"{error.error_count()} fields are wrong.") from error
    await receipts.note(tx, told.events)
    return Response(status_code=204)


@router.post(
    "/internal/notifications",
    status_code=202,
    response_model=Accepted,
    tags=["internal"],
    dependencies=[internal("users", "orders", "payments")],
    responses=may(403, 409),
)
async def send_notification(
    request: Request, command: SendNotification, tx: Tx, once: OnceOnly, office: Room
) -> Response:
    """Send a message for another service."""
    caller: str = request.state.subject  # set by the route's access declaration
    id_ = await use_cases.accept(tx, office.catalogue, caller, command)
    return await once.reply(Accepted(id=id_), 202)
