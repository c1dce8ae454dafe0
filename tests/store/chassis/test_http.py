import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from apps.chassis.database import Database
from tests.store.chassis.conftest import count
from tests.store.chassis.things import Chance, slug
from tests.support.asgi import call


def post(app: FastAPI, name: str = "a", key: str = "k", role: str = "customer") -> Any:
    headers = {"idempotency-key": key, "authorization": f"Bearer {role}"}
    return call(app, "POST", "/things", {"name": name}, headers)


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


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain", ""])
async def test_json_that_does_not_say_so_is_told_how(app: FastAPI, database: Database, media: str) -> None:
    sent = {"authorization": "Bearer customer", "idempotency-key": "k", "content-type": media}
    reply = await call(app, "POST", "/things", {"name": "a"}, sent)
    assert slug(reply) == (415, "content-not-json")
    assert "content-type: application/json" in reply.json()["detail"]
    assert await count(database, "effects") == 0


@pytest.mark.parametrize("body", [[], "a", 1])
async def test_a_body_that_is_wrong_as_a_whole_is_pointed_at_as_a_whole(app: FastAPI, body: Any) -> None:
    reply = await call(app, "POST", "/things", body, {"authorization": "Bearer customer", "idempotency-key": "k"})
    assert slug(reply) == (422, "invalid-content")
    assert [error["pointer"] for error in reply.json()["errors"]] == ["#"], "#/ is a member whose name is empty"


async def test_an_error_of_ours_says_nothing_of_its_inside(app: FastAPI) -> None:
    reply = await call(app, "GET", "/crash")
    assert slug(reply) == (500, "internal-error")
    assert b"4242" not in reply.body


async def test_only_the_own_sidecar_is_answered(app: FastAPI) -> None:
    for token in ("", "another-token-of-some-length"):
        assert slug(await call(app, "GET", "/crash", headers={"dapr-api-token": token})) == (401, "not-our-sidecar")
    assert (await call(app, "GET", "/healthz", headers={"dapr-api-token": ""})).status == 200
    assert (await call(app, "GET", "/readyz", headers={"dapr-api-token": ""})).status == 200
