import asyncio
from typing import Annotated, Any
from uuid import UUID

import pytest
from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import inbox, outbox
from apps.chassis.app import Chassis, Service, create_app
from apps.chassis.auth import Caller, Principal, public
from apps.chassis.codec import PlainCodec
from apps.chassis.database import Database, Tx
from apps.chassis.events import EventHandlers
from apps.chassis.idempotency import OnceOnly
from apps.chassis.problems import Problem
from apps.chassis.settings import ServiceSettings
from apps.chassis.sidecar import SidecarError
from tests.store.chassis.conftest import Followed, Happened, count
from tests.support.asgi import APP_TOKEN, Reply, call

USER = UUID(int=7)


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


@pytest.fixture
def chance() -> Chance:
    return Chance()


@pytest.fixture
async def app(database: Database, chance: Chance, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    monkeypatch.setattr(inbox, "RETRY_DELAYS_S", (0.001,))
    monkeypatch.setenv("APP_PORT", "1")
    monkeypatch.setenv("APP_API_TOKEN", APP_TOKEN)
    handlers = EventHandlers()

    @handlers.on(Happened)
    async def happened(event: Happened, tx: AsyncSession) -> None:
        if chance.unlucky:
            raise UnluckyError
        if chance.outage:
            raise SidecarError("away")
        await tx.execute(text("INSERT INTO effects VALUES (:name)"), {"name": event.name})

    service = Service("things", Settings, [things(chance)], handlers, problems={UnluckyError: Problem(409, "unlucky")})
    app = create_app(service, Settings.load())
    nothing: Any = None
    app.state.chassis = Chassis(nothing, nothing, database, PlainCodec(), nothing, NoTokens())  # type: ignore[arg-type]
    return app


def post(app: FastAPI, name: str = "a", key: str = "k", role: str = "customer") -> Any:
    headers = {"idempotency-key": key, "authorization": f"Bearer {role}"}
    return call(app, "POST", "/things", {"name": name}, headers)


def slug(reply: Reply) -> tuple[int, str]:
    assert reply.headers["content-type"] == "application/problem+json"
    return reply.status, str(reply.json()["type"]).removeprefix("/problems/")


async def test_the_same_key_gives_the_same_answer_and_one_effect(app: FastAPI, database: Database) -> None:
    first, second = await post(app), await post(app)
    assert (first.status, first.body, first.headers["location"]) == (201, b'{"name":"a"}', "/things/a")
    assert (second.status, second.body, second.headers["location"]) == (201, first.body, "/things/a")
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert (await count(database, "effects"), await count(database, "outbox")) == (1, 1)


async def test_a_quoted_key_is_the_same_key(app: FastAPI, database: Database) -> None:
    await post(app, key="k")
    assert (await post(app, key='"k"')).headers["idempotent-replayed"] == "true"
    assert await count(database, "effects") == 1


async def test_the_same_key_with_other_content_is_refused(app: FastAPI, database: Database) -> None:
    await post(app, name="a")
    assert slug(await post(app, name="b")) == (422, "idempotency-key-reused")
    assert await count(database, "effects") == 1


@pytest.mark.parametrize(
    ("key", "expected"), [("", "idempotency-key-required"), ("x" * 256, "idempotency-key-invalid")]
)
async def test_a_key_that_is_missing_or_too_long_is_refused(app: FastAPI, key: str, expected: str) -> None:
    assert slug(await post(app, key=key)) == (400, expected)


async def test_while_a_request_is_in_progress_its_twin_is_told_so(
    app: FastAPI, chance: Chance, database: Database
) -> None:
    chance.gate = asyncio.Event()
    first = asyncio.create_task(post(app))
    await chance.entered.wait()
    assert slug(await post(app)) == (409, "request-in-progress")
    chance.gate.set()
    assert (await first).status == 201
    assert await count(database, "effects") == 1


async def test_twenty_twins_at_once_have_one_effect(app: FastAPI, database: Database) -> None:
    replies = await asyncio.gather(*(post(app) for _ in range(20)))
    assert {reply.status for reply in replies} <= {201, 409}
    assert await count(database, "effects") == 1


async def test_a_request_that_fails_keeps_nothing_and_may_be_sent_again(
    app: FastAPI, chance: Chance, database: Database
) -> None:
    chance.unlucky = True
    assert slug(await post(app)) == (409, "unlucky")
    assert [await count(database, table) for table in ("effects", "outbox", "idempotent_replies")] == [0, 0, 0]
    chance.unlucky = False
    assert (await post(app)).status == 201


async def test_the_commit_comes_before_the_reply(app: FastAPI, database: Database) -> None:
    seen: list[int] = []

    async def watching(scope: Any, receive: Any, send: Any) -> None:
        async def send_and_look(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(await count(database, "effects"))
            await send(message)

        await app(scope, receive, send_and_look)

    headers = {"idempotency-key": "k", "authorization": "Bearer customer"}
    await call(watching, "POST", "/things", {"name": "a"}, headers)
    assert seen == [1]


async def test_every_bad_request_is_a_problem(app: FastAPI, database: Database) -> None:
    signed = {"authorization": "Bearer customer", "idempotency-key": "k"}
    assert slug(await call(app, "POST", "/things", b"{no json", signed)) == (400, "malformed-json")
    reply = await call(app, "POST", "/things", {"name": "much too long a name"}, signed)
    assert slug(reply) == (422, "invalid-content")
    assert [error["pointer"] for error in reply.json()["errors"]] == ["#/name"]
    assert "much too long a name" not in reply.body.decode()
    assert slug(await call(app, "GET", "/nowhere")) == (404, "not-found")
    assert slug(await call(app, "DELETE", "/things")) == (405, "method-not-allowed")
    assert slug(await call(app, "POST", "/things", b"x" * 2_000_000, signed)) == (413, "content-too-large")
    undeclared = await call(app, "POST", "/things", b"x" * 2_000_000, {**signed, "content-length": ""})
    assert slug(undeclared) == (413, "content-too-large")
    assert await count(database, "effects") == 0


async def test_an_error_of_ours_says_nothing_of_its_inside(app: FastAPI) -> None:
    reply = await call(app, "GET", "/crash")
    assert slug(reply) == (500, "internal-error")
    assert b"4242" not in reply.body


async def test_only_the_own_sidecar_is_answered(app: FastAPI) -> None:
    for token in ("", "another-token-of-some-length"):
        assert slug(await call(app, "GET", "/crash", headers={"dapr-api-token": token})) == (401, "not-our-sidecar")
    assert (await call(app, "GET", "/healthz", headers={"dapr-api-token": ""})).status == 200
    assert (await call(app, "GET", "/readyz", headers={"dapr-api-token": ""})).status == 200


def bulk(*names: str, broken: bool = False) -> dict[str, Any]:
    data = [{} if broken else {"name": name, "sequence": 1} for name in names]
    entries = [{"entryId": str(at), "event": {"id": names[at], "data": item}} for at, item in enumerate(data)]
    return {"id": "1", "entries": entries, "topic": "happened"}


async def test_a_batch_is_answered_entry_by_entry_and_all_alike(app: FastAPI) -> None:
    reply = await call(app, "POST", "/events/happened", bulk("a", "b"))
    assert reply.json() == {"statuses": [{"entryId": "0", "status": "SUCCESS"}, {"entryId": "1", "status": "SUCCESS"}]}


async def test_an_outage_asks_for_the_whole_batch_again(app: FastAPI, database: Database, chance: Chance) -> None:
    chance.outage = True
    reply = await call(app, "POST", "/events/happened", bulk("a", "b"))
    assert [entry["status"] for entry in reply.json()["statuses"]] == ["RETRY", "RETRY"]
    assert await count(database, "inbox") == 0


async def test_a_single_event_is_answered_as_one(app: FastAPI, database: Database) -> None:
    reply = await call(app, "POST", "/events/happened", {"id": "1", "data": {"name": "a", "sequence": 1}})
    assert reply.json() == {"status": "SUCCESS"}
    assert await count(database, "effects") == 1


async def test_an_event_route_never_answers_404(app: FastAPI, database: Database) -> None:
    for path, body in (("/events/unheard-of", bulk("a")), ("/events/happened", b"no json at all")):
        assert (await call(app, "POST", path, body)).status == 200
    assert await count(database, "dead_letters") == 2


async def test_nobody_posts_events_through_the_sidecar(app: FastAPI, database: Database) -> None:
    reply = await call(app, "POST", "/events/happened", bulk("a"), {"dapr-caller-app-id": "edge"})
    assert slug(reply) == (403, "caller-not-allowed")
    assert await count(database, "effects") == 0


async def test_a_dead_letter_is_listed_shown_redelivered_and_gone(
    app: FastAPI, chance: Chance, database: Database
) -> None:
    support = {"authorization": "Bearer support"}
    chance.unlucky = True
    await call(app, "POST", "/events/happened", bulk("a"))
    assert slug(await call(app, "GET", "/dead-letters", headers={"authorization": "Bearer customer"})) == (
        403,
        "role-required",
    )
    [letter] = (await call(app, "GET", "/dead-letters", headers=support)).json()["items"]
    assert (letter["topic"], letter["reason"], letter["event"]["data"]["name"]) == ("happened", "UnluckyError", "a")
    path = f"/dead-letters/{letter['id']}"
    assert (await call(app, "GET", path, headers=support)).json() == letter
    assert slug(await call(app, "POST", f"{path}/redeliver", headers=support)) == (409, "still-failing")
    chance.unlucky = False
    assert (await call(app, "POST", f"{path}/redeliver", headers=support)).status == 204
    assert await count(database, "effects") == 1
    assert slug(await call(app, "GET", path, headers=support)) == (404, "dead-letter-not-found")


async def test_a_dead_letter_is_discarded(app: FastAPI, database: Database) -> None:
    support = {"authorization": "Bearer support"}
    await call(app, "POST", "/events/happened", bulk("a", broken=True))
    [letter] = (await call(app, "GET", "/dead-letters", headers=support)).json()["items"]
    assert (await call(app, "DELETE", f"/dead-letters/{letter['id']}", headers=support)).status == 204
    assert await count(database, "dead_letters") == 0
