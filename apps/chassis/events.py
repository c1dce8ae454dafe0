"""The routes that the sidecar posts events to. An event route never answers 404: the sidecar would drop the event."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import inbox, seams, telemetry
from apps.chassis.auth import from_sidecar
from apps.chassis.database import Database
from apps.chassis.deliveries import read_batch
from apps.chassis.inbox import OutageError, Subscriber
from apps.contracts.base import Event

E = TypeVar("E", bound=Event)


class _Unheard(Event):
    """Stands for a topic that this service has no handler for; it never reads as valid."""

    topic = "unknown"
    aggregate = "nothing"

    nothing: str


class EventHandlers:
    """The events a service listens to; each topic has exactly one handler. Without *cards*, no card number gets in."""

    def __init__(self, *, cards: bool = True) -> None:
        self.cards = cards
        self.subscribers: dict[str, Subscriber] = {}

    def on(
        self, kind: type[E]
    ) -> Callable[[Callable[[E, AsyncSession], Awaitable[None]]], Callable[..., Awaitable[None]]]:
        """Handle *kind* one event at a time; the handler is called within a transaction and never commits."""

        def register(handle: Callable[[E, AsyncSession], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
            async def each(events: Sequence[E], tx: AsyncSession) -> None:
                for event in events:
                    with telemetry.within(event.traceparent or telemetry.new_traceparent()):
                        await handle(event, tx)

            self._add(kind, each)
            return handle

        return register

    def on_batch(
        self, kind: type[E]
    ) -> Callable[[Callable[[Sequence[E], AsyncSession], Awaitable[None]]], Callable[..., Awaitable[None]]]:
        """Handle *kind* by the batch: for hot paths; a batch that fails comes again as batches of one."""

        def register(handle: Callable[[Sequence[E], AsyncSession], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
            self._add(kind, handle)
            return handle

        return register

    def on_hint(self, kind: type[E]) -> Callable[[Callable[[Sequence[E]], None]], Callable[[Sequence[E]], None]]:
        """Hear *kind* without a transaction or an inbox row, perhaps twice: it hints at what the database knows."""

        def register(hear: Callable[[Sequence[E]], None]) -> Callable[[Sequence[E]], None]:
            async def handle(events: Sequence[E], _tx: AsyncSession) -> None:
                hear(events)

            self._add(kind, handle, hear)
            return hear

        return register

    def _add(self, kind: type[Event], handle: Any, hear: Any = None) -> None:
        if kind.topic in self.subscribers:
            raise ValueError(f"{kind.topic} has a handler already")
        self.subscribers[kind.topic] = Subscriber(kind, handle, hear)

    def find(self, topic: str) -> Subscriber:
        """Return the handler of *topic*, or one that lets nothing pass and so keeps it as a dead letter."""
        return self.subscribers.get(topic) or Subscriber(_Unheard, _unreachable)


async def _unreachable(_events: Sequence[Event], _tx: AsyncSession) -> None:
    raise AssertionError("an event nobody listens to never reads as valid")


def router(handlers: EventHandlers) -> APIRouter:
    """Return the event routes of a service."""
    routes = APIRouter(prefix="/events", dependencies=[from_sidecar], include_in_schema=False)

    @routes.post("/dead-letters")
    async def dead_letter(request: Request) -> Response:
        """Take what the sidecar gave up on, and try it here once more before it is kept."""
        body = _decode(await request.body())
        topic = str(body.get("type")) if isinstance(body, dict) else ""
        return await _receive(request, handlers, topic, body)

    @routes.post("/{topic}")
    async def event(topic: str, request: Request) -> Response:
        """Take a batch."""
        return await _receive(request, handlers, topic, _decode(await request.body()))

    return routes


def _decode(body: bytes) -> Any:
    """Return the JSON, or the text where it is none: that is kept as a dead letter, rather than sent round again."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")


async def _receive(request: Request, handlers: EventHandlers, topic: str, body: Any) -> Response:
    """Answer SUCCESS for all or RETRY for all: a mixed answer makes the sidecar mistake one entry for another."""
    database: Database = request.app.state.chassis.database
    subscriber = handlers.find(topic)
    deliveries = read_batch(subscriber.event, body, cards=handlers.cards)
    try:
        await inbox.receive(database, subscriber, deliveries)
        status = "SUCCESS"
    except OutageError as error:
        telemetry.log.warning("events_deferred", topic=subscriber.event.topic, cause=type(error.__cause__).__name__)
        status = "RETRY"
    seams.before("acknowledge")
    if isinstance(body, dict) and "entries" in body:
        answer: dict[str, Any] = {"statuses": [{"entryId": item.entry_id, "status": status} for item in deliveries]}
    else:
        answer = {"status": status}
    return Response(orjson.dumps(answer), media_type="application/json")
