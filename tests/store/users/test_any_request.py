"""Whatever is sent to any route of users: nothing of it is our fault, and every answer is one that OpenAPI names."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from apps.chassis import tokens
from tests.store.users.conftest import PASSWORD, Home, open_home
from tests.support.any_request import besiege, fault, operations
from tests.support.asgi import Reply

EXAMPLES = 2
# The same in each service, and tried with orders.
ELSEWHERE = ("/internal/operator", "/internal/metrics", "/dead-letters")
CALLERS = itertools.cycle(("admin", "support", "person", "person", "stranger", "nobody"))


async def somebody(home: Home) -> tuple[str, dict[str, str]]:
    """Return the access token of somebody who has just signed in, and the ids that a request may name."""
    await home.change("DELETE FROM throttles")
    await home.register("grace@example.org")
    await home.register()
    session = await home.sign_in()
    if session.status != 201:  # an earlier request locked the account, or changed what signs it in
        await home.change("DELETE FROM users")
        await home.register()
        session = await home.sign_in()
    client = await home.call("POST", "/clients", {"name": "x", "scopes": ["orders"]}, home.operator("admin"))
    (user,) = await home.rows("SELECT id FROM users WHERE email = 'ada@example.org'")
    ids = {"user_id": str(user.id), "client_id": client.json()["id"], "session_id": session.json()["session_id"]}
    return session.json()["access_token"], ids


def attack(url: str, monkeypatch: pytest.MonkeyPatch, examples: int) -> int:
    """Send *examples* cases to each operation; return how many were answered as described."""
    answered = 0
    monkeypatch.setattr(tokens, "_UNKNOWN_KEY_PAUSE_S", 0.0)
    with asyncio.Runner() as runner:
        opening = open_home(url, monkeypatch)
        home = runner.run(opening.__aenter__())
        document = home.app.openapi()
        try:
            for operation in operations(document):
                if operation.path.startswith(ELSEWHERE):
                    continue
                person, ids = runner.run(somebody(home))

                def send(method: str, path: str, body: bytes | None, media: str, mine: str = person) -> Reply:
                    who = next(CALLERS)
                    known = {"person": mine, "stranger": "forged", "nobody": None}
                    token = known[who] if who in known else home.operator(who)
                    caller = "notifications" if path.startswith("/internal/users") else ""
                    said = {"content_type": media, "dapr_caller_app_id": caller}
                    return runner.run(home.call(method, path, body, token, **said))

                answered += besiege(operation, document, ids, send, examples)
        finally:
            runner.run(opening.__aexit__(None, None, None))
    return answered


def test_no_request_that_the_description_allows_is_answered_in_a_way_that_it_does_not_name(
    database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attack(database_for("users"), monkeypatch, EXAMPLES) >= 30 * EXAMPLES


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_none_of_many_requests_is(database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert attack(database_for("users"), monkeypatch, 200) >= 30 * 200


@pytest.mark.parametrize(
    ("reply", "wrong"),
    [
        (Reply(500, {}, b""), "our fault"),
        (Reply(418, {}, b""), "a status that is not described"),
        (Reply(201, {"content-type": "text/html"}, b"x"), "text/html, which is not described"),
        (Reply(201, {"content-type": "application/json"}, b'{"access_token": "x"}'), "'expires_in' is a required"),
    ],
)
async def test_an_answer_that_is_not_described_is_noticed(home: Home, reply: Reply, wrong: str) -> None:
    document: dict[str, Any] = home.app.openapi()
    said = fault(document["paths"]["/sessions"]["post"], document, reply)
    assert said is not None
    assert said.startswith(wrong)


async def test_an_answer_that_is_described_is_none(home: Home) -> None:
    await home.register(password=PASSWORD)
    document: dict[str, Any] = home.app.openapi()
    assert fault(document["paths"]["/sessions"]["post"], document, await home.sign_in()) is None
