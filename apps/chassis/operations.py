"""The routes that every service has: health, and its dead letters."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import text

from apps.chassis import dead_letters, inbox
from apps.chassis.auth import Support, public
from apps.chassis.database import Database, Tx
from apps.chassis.deliveries import read
from apps.chassis.events import EventHandlers
from apps.chassis.problems import ProblemError, may

_LAST = UUID(int=(1 << 128) - 1)


def health() -> APIRouter:
    """Return the routes by which others see whether this process lives, and whether it can work."""
    routes = APIRouter(dependencies=[public], tags=["health"])

    @routes.get("/healthz")
    async def alive() -> dict[str, str]:
        """Answer while the event loop turns."""
        return {"status": "alive"}

    @routes.get("/readyz")
    async def ready(request: Request) -> dict[str, str]:
        """Answer 200 while work can be done: the database answers, and a key to verify callers by is known."""
        database: Database = request.app.state.chassis.database
        async with database.transaction() as tx:
            await tx.execute(text("SELECT 1"))
        if not request.app.state.chassis.tokens.knows_a_key:
            raise ProblemError(503, "keys-unavailable", "No verification key is known yet.", {"Retry-After": "1"})
        return {"status": "ready"}

    return routes


def dead_letter_routes(handlers: EventHandlers) -> APIRouter:
    """Return the routes by which support lists, inspects, redelivers and discards dead letters."""
    routes = APIRouter(prefix="/dead-letters", tags=["dead letters"])

    @routes.get("")
    async def list_dead_letters(
        request: Request,
        _caller: Support,
        tx: Tx,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
        cursor: UUID | None = None,
    ) -> dict[str, Any]:
        """List what could not be handled, newest first."""
        items = await dead_letters.list_before(tx, request.app.state.chassis.codec, cursor or _LAST, limit)
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}

    @routes.get("/{id}", responses=may(404))
    async def show_dead_letter(request: Request, _caller: Support, tx: Tx, id: UUID) -> dict[str, Any]:  # noqa: A002
        """Show one with its event and the reason."""
        return await dead_letters.get(tx, request.app.state.chassis.codec, id)

    @routes.post("/{id}/redeliver", status_code=204, responses=may(404, 409))
    async def redeliver(request: Request, _caller: Support, tx: Tx, id: UUID) -> Response:  # noqa: A002
        """Hand the event to its handler again; 409 with the reason where it fails again."""
        letter = await dead_letters.get(tx, request.app.state.chassis.codec, id, lock=True)
        if letter["topic"] is None:
            raise ProblemError(409, "still-failing", letter["reason"])
        subscriber = handlers.find(letter["topic"])
        delivery = read(subscriber.event, "", letter["event"])
        if delivery.event is None:
            raise ProblemError(409, "still-failing", delivery.reason)
        if error := await inbox.attempt(tx, subscriber, delivery, by_hand=True):
            raise ProblemError(409, "still-failing", f"{type(error).__name__}: {error}")
        await dead_letters.remove(tx, id)
        return Response(status_code=204)

    @routes.delete("/{id}", status_code=204, responses=may(404))
    async def discard(_caller: Support, tx: Tx, id: UUID) -> Response:  # noqa: A002
        """Forget one for good."""
        await dead_letters.remove(tx, id)
        return Response(status_code=204)

    return routes
