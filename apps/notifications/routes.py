from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from apps.chassis.auth import Caller, internal
from apps.chassis.database import Tx
from apps.chassis.idempotency import OnceOnly
from apps.notifications import use_cases
from apps.notifications.schemas import Accepted, NotificationPage, SendNotification

router = APIRouter()


@router.get("/notifications", tags=["notifications"])
async def list_notifications(
    caller: Caller, tx: Tx, limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: UUID | None = None
) -> NotificationPage:
    """List what was written to the caller, newest first."""
    return await use_cases.page(tx, caller.id, cursor, limit)


@router.post(
    "/internal/notifications",
    status_code=202,
    response_model=Accepted,
    tags=["internal"],
    dependencies=[internal("users", "orders", "payments")],
)
async def send_notification(request: Request, command: SendNotification, tx: Tx, once: OnceOnly) -> Response:
    """Send a message for another service."""
    caller: str = request.state.subject  # set by the route's access declaration
    return await once.reply(Accepted(id=await use_cases.accept(tx, caller, command)), 202)
