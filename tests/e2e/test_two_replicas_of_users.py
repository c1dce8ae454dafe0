"""Two replicas of users, each called through its own sidecar at once: what one does holds at the other."""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from apps.users.throttling import PAIR
from tests.support.shop import PASSWORD, Answer, Customer, Shop, until
from tests.support.system import System

pytestmark = pytest.mark.resilience

AT_ONCE = 50
ROUNDS = int(os.environ.get("SIDECART_REFRESH_ROUNDS", "4"))
SIDECARS = ("users-daprd", "users-2-daprd")


@pytest.fixture(scope="module")
def ports(system: System) -> Iterator[list[int]]:
    system.sidecart("scale", "users=2")
    yield [system.status()[name]["ports"]["http"] for name in SIDECARS]
    system.sidecart("scale", "users=1")


@dataclass
class Replica:
    """One replica: a sidecar asked for its own app-id calls the app beside it, and no other."""

    session: aiohttp.ClientSession
    port: int
    token: str

    async def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Answer:
        headers = {"dapr-api-token": self.token} | ({"authorization": f"Bearer {token}"} if token else {})
        url = f"http://127.0.0.1:{self.port}/v1.0/invoke/users/method{path}"
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.text())

    async def refresh(self, token: str) -> Answer:
        return await self.call("POST", "/sessions/refresh", {"refresh_token": token})

    async def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        return await self.call("POST", "/sessions", {"email": email, "password": password})


@pytest.fixture
async def replicas(system: System, ports: list[int]) -> AsyncIterator[list[Replica]]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield [Replica(session, port, system.sidecar_token("users")) for port in ports]


async def test_a_token_refreshed_at_both_at_once_has_one_successor(replicas: list[Replica], customer: Customer) -> None:
    newest = (await replicas[0].sign_in(customer.email)).body["refresh_token"]
    for number in range(ROUNDS):
        turns = itertools.islice(itertools.cycle(replicas), AT_ONCE)
        answers = await asyncio.gather(*(replica.refresh(newest) for replica in turns))
        assert {answer.status for answer in answers} == {200}, number
        (newest,) = {answer.body["refresh_token"] for answer in answers}


async def test_a_token_reused_at_the_other_ends_the_session_at_both(
    replicas: list[Replica], customer: Customer
) -> None:
    one, other = replicas
    first = (await one.sign_in(customer.email)).body["refresh_token"]
    second = (await other.refresh(first)).body["refresh_token"]
    third = (await one.refresh(second)).body["refresh_token"]
    assert (await other.refresh(first)).status == 401
    assert [(await replica.refresh(third)).status for replica in replicas] == [401, 401]


@pytest.mark.usefixtures("ports")
async def test_guesses_at_both_count_together(shop: Shop, customer: Customer) -> None:
    # through the edge, which draws one of the two for each: a service's own sidecar has a breaker for its calls
    guess = {"email": customer.email, "password": "wrong"}
    began = time.monotonic()
    answers = [await shop.call("users", "POST", "/sessions", guess) for _ in range(2 * (PAIR.free + 5))]
    # after the free ones each second brings one at most
    statuses = [answer.status for answer in answers]
    assert PAIR.free < statuses.count(401) <= PAIR.free + 1 + int(time.monotonic() - began)
    burst = await asyncio.gather(*(shop.call("users", "POST", "/sessions", guess) for _ in range(10)))
    waiting = [answer for answer in burst if answer.status == 429]
    assert len(waiting) >= len(burst) - 2, [(answer.status, answer.text) for answer in burst]
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in waiting)


async def test_signing_out_at_one_is_seen_by_the_other(replicas: list[Replica], customer: Customer) -> None:
    one, other = replicas
    session = (await one.sign_in(customer.email)).body
    assert (await other.call("GET", "/users/me", token=session["access_token"])).status == 200
    assert (await one.call("DELETE", "/sessions/current", token=session["access_token"])).status == 204
    assert (await other.call("GET", "/users/me", token=session["access_token"])).status == 401
    assert (await other.refresh(session["refresh_token"])).status == 401


async def test_a_compromised_key_is_dropped_by_both_and_the_new_one_taken_by_all(
    shop: Shop, replicas: list[Replica], customer: Customer
) -> None:
    one, other = replicas
    before = (await other.sign_in(customer.email)).body["access_token"]
    admin = shop.operator_token("admin")
    rotated = await one.call("POST", "/signing-keys", {"compromised": True}, admin)
    assert rotated.status == 201, rotated.text

    for replica in replicas:

        async def dropped(asked: Replica = replica) -> bool | None:
            return True if (await asked.call("GET", "/users/me", token=before)).status == 401 else None

        # one after the other, and no more often than needed: refusals open the breaker of a sidecar's own calls
        await until(dropped, "a replica to drop what the key signed", 60, every_s=0.5)
    for replica in replicas:
        fresh = (await replica.sign_in(customer.email)).body["access_token"]

        async def taken(token: str = fresh) -> bool | None:
            answers = [await each.call("GET", "/users/me", token=token) for each in replicas]
            answers.append(await shop.call("orders", "GET", "/orders", token=token))
            return True if {answer.status for answer in answers} == {200} else None

        await until(taken, "everybody to take the new key", 60, every_s=0.5)
