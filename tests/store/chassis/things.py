"""A small service of the tests' own, on the chassis as it is."""

import asyncio
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox
from apps.chassis.app import Service
from apps.chassis.auth import Caller, Principal, public
from apps.chassis.database import Tx
from apps.chassis.events import EventHandlers
from apps.chassis.idempotency import OnceOnly
from apps.chassis.problems import Problem
from apps.chassis.settings import ServiceSettings
from apps.chassis.sidecar import SidecarError
from apps.contracts.base import Event
from tests.support.asgi import Reply

USER = UUID(int=7)


class Happened(Event):
    topic: ClassVar = "happened"
    aggregate: ClassVar = "name"

    name: str


class Followed(Happened):
    topic: ClassVar = "followed"


class Thing(BaseModel):
    name: Annotated[str, Field(max_length=10)]


class UnluckyError(Exception):
    pass


class Settings(ServiceSettings):
    service = "things"


class NoTokens:
    """Takes the name of a role for a token; tokens.py has tests of its own."""

    knows_a_key = True

    async def principal(self, authorization: str | None) -> Principal:
        role = (authorization or "").removeprefix("Bearer ")
        return Principal(USER, frozenset({role}), frozenset(), email_verified=True, session_id=None)


class Chance:
    """What the handler and the route of these tests do wrong."""

    unlucky = False
    outage = False
    gate: asyncio.Event | None = None

    def __init__(self) -> None:
        self.entered = asyncio.Event()


def things(chance: Chance) -> APIRouter:
    router = APIRouter()

    @router.post("/things", status_code=201)
    async def make(thing: Thing, _caller: Caller, tx: Tx, once: OnceOnly) -> Response:
        await tx.execute(text("INSERT INTO effects VALUES (:name)"), {"name": thing.name})
        outbox.record(tx, Followed(name=thing.name, sequence=1))
        if chance.gate:
            chance.entered.set()
            await chance.gate.wait()
        if chance.unlucky:
            raise UnluckyError("no luck")
        return await once.reply(thing, 201, {"Location": f"/things/{thing.name}"})

    @router.get("/crash", dependencies=[public])
    async def crash() -> None:
        raise ZeroDivisionError("card 4242424242424242")

    return router


def service(chance: Chance) -> Service:
    """Return the service, which does wrong what *chance* says."""
    handlers = EventHandlers()

    @handlers.on(Happened)
    async def happened(event: Happened, tx: AsyncSession) -> None:
        if chance.unlucky:
            raise UnluckyError
        if chance.outage:
            raise SidecarError("away")
        await tx.execute(text("INSERT INTO effects VALUES (:name)"), {"name": event.name})

    return Service("things", Settings, [things(chance)], handlers, problems={UnluckyError: Problem(409, "unlucky")})


def slug(reply: Reply) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status, str(reply.json()["type"]).removeprefix("/problems/")
