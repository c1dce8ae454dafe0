"""Every caller at every path of every service, through the real sidecars; nothing here is picked by hand."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import aiohttp
import pytest
from yarl import URL

from tests.support.documents import SERVICES
from tests.support.doors import CALLERS, VERBS, climbs, disguises, may, paths, served
from tests.support.system import System
from tests.support.visitor import Visitor
from tests.support.wire import Reply, send

INVOKE = "/v1.0/invoke"
# A refusal is repeated by the caller's policy: nearly all of the time is waiting.
AT_ONCE = 64
# The edge's own identity once more, but without its guard: the second lock has to hold alone.
UNGUARDED = "edge"


@dataclass(frozen=True)
class Door:
    """A sidecar from which calls are made, by the name that its certificate says."""

    caller: str
    port: int
    token: str | None = None

    @property
    def headers(self) -> list[str]:
        return [f"dapr-api-token: {self.token}"] if self.token else []


@pytest.fixture(scope="module")
def doors(system: System) -> Iterator[dict[str, Door]]:
    with ExitStack() as stack:
        names = ("partner", "stranger", UNGUARDED)
        guests = [stack.enter_context(Visitor(system, name)) for name in names]
        found = {guest.app_id: Door(guest.app_id, guest.port) for guest in guests}
        for number, name in enumerate(SERVICES, 3501):
            found[name] = Door(name, system.port(number), system.sidecar_token(name))
        yield found | {"guarded": Door("edge", system.port(3500))}


async def refused(session: aiohttp.ClientSession, door: Door, callee: str, verb: str, path: str) -> bool:
    """Tell whether the call ended at a sidecar; what ends in another way than by a refusal fails the test."""
    url = URL(f"http://127.0.0.1:{door.port}{INVOKE}/{callee}/method{path}", encoded=True)
    headers = {"dapr-api-token": door.token} if door.token else {}
    async with session.request(verb, url, headers=headers) as answer:
        # apps refuse by a problem, or by a page where people look; sidecars by neither
        if answer.ok or answer.headers.get("content-type", "").startswith(("application/problem+json", "text/html")):
            return False
        assert answer.status == 403, (door, callee, verb, path, await answer.text())
        return True


@pytest.mark.parametrize("callee", SERVICES)
async def test_each_call_that_is_listed_passes_and_every_other_is_refused(callee: str, doors: dict[str, Door]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)
    wrong: list[str] = []

    async def attempt(session: aiohttp.ClientSession, name: str, verb: str, path: str) -> None:
        door = doors[name]
        async with gate:
            passed = not await refused(session, door, callee, verb, path)
        if passed != may(door.caller, callee, verb, path):
            wrong.append(f"{name} {verb} {callee}{path}: {'passed' if passed else 'refused'}")

    tried = [(UNGUARDED, verb, path) for path in paths(callee) for verb in VERBS]
    tried += [(name, *call) for name in doors if name not in {UNGUARDED, callee} for call in served(callee)]
    assert {doors[name].caller for name, _, _ in tried} | {callee} == set(CALLERS)
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(attempt(session, *one) for one in tried))
    assert wrong == []


def first_allowed(caller: str, callee: str) -> str | None:
    """Return a path below which a forbidden one might hide."""
    return next((path for path in paths(callee) if may(caller, callee, "GET", path)), None)


def forbidden(caller: str, callee: str) -> list[str]:
    return [path for path in paths(callee) if path.startswith("/internal/") and not may(caller, callee, "GET", path)]


@pytest.mark.parametrize("name", ["guarded", UNGUARDED, "partner", "stranger"])
async def test_no_way_to_write_a_path_leads_to_what_is_forbidden(name: str, doors: dict[str, Door]) -> None:
    caller = doors[name].caller
    tried = [
        (callee, path)
        for callee in SERVICES
        for target in forbidden(caller, callee)
        for path in disguises(first_allowed(caller, callee) or "/healthz", target)
    ]
    assert len(tried) >= 20 * len(SERVICES)
    for path, reply in await knock(doors[name], tried):
        assert not reply.from_an_app, (path, reply)
        assert reply.status in {301, 400, 403, 404} or "invalid method" in reply.body, (path, reply)


async def knock(door: Door, calls: list[tuple[str, str]]) -> list[tuple[str, Reply]]:
    """Send each path of a service exactly as written."""

    async def one(callee: str, path: str) -> tuple[str, Reply]:
        return path, await asyncio.to_thread(send, door.port, f"{INVOKE}/{callee}/method{path}", *door.headers)

    return await asyncio.gather(*(one(*call) for call in calls))


FURTHER = [("orders", "payments", "/payments"), ("payments", "orders", "/orders"), ("notifications", "users", "/users")]


async def test_a_service_gets_no_further_from_what_it_may_ask(doors: dict[str, Door]) -> None:
    for caller, callee, target in FURTHER:
        start = first_allowed(caller, callee)
        assert start
        for path, reply in await knock(doors[caller], [(callee, path) for path in climbs(start, target)]):
            assert reply.status == 403, (path, reply)
            assert not reply.from_an_app, (path, reply)


def test_behind_the_edge_and_a_client_is_nobody_to_call(doors: dict[str, Door]) -> None:
    for callee in ("edge", "partner"):
        reply = send(doors["stranger"].port, f"{INVOKE}/{callee}/method/healthz")
        assert "app channel is not initialized" in reply.body, reply
