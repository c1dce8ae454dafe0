"""Among many accounts nothing is read but what is answered: what a request reads is counted, not guessed."""

import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median
from uuid import UUID

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.store.users.conftest import PASSWORD, QUICK, Home, open_home
from tests.support.asgi import Reply
from tests.support.many_users import fill
from tests.support.postgres import Cluster

SMALL, FULL = 10_000, int(os.environ.get("SIDECART_SOAK_USERS", "1000000"))
PAGE = 50
# A page from each of two walks, and the row behind each; accounts, sessions and trail together.
MOST = 3 * PAGE
ROUNDS = 40
Ask = Callable[[Home], Awaitable[Reply]]
MODES = ("force_custom_plan", "force_generic_plan")


def database_of(cluster: Cluster, url: str, users: int) -> str:
    with cluster.connect("postgres", url.rpartition("/")[2]) as owner:
        fill(owner, users, QUICK.hash(PASSWORD))
    return url


@pytest.fixture(scope="module")
def town(postgres_cluster: Cluster, database_for: Callable[[str], str]) -> str:
    return database_of(postgres_cluster, database_for("users"), SMALL)


@asynccontextmanager
async def alone(url: str, monkeypatch: pytest.MonkeyPatch, mode: str) -> AsyncIterator[Home]:
    """Open the service on one connection that plans as told: what it read is then told apart from others' reading."""
    given = {"options": f"-c plan_cache_mode={mode}", "prepare_threshold": 0}

    def one_connection(url: str, **_: int) -> AsyncEngine:
        address = make_url(url).set(drivername="postgresql+psycopg")
        return create_async_engine(address, pool_size=1, max_overflow=0, connect_args=given)

    monkeypatch.setattr("tests.store.users.conftest.engine_for", one_connection)
    async with open_home(url, monkeypatch) as home:
        yield home


async def read(home: Home) -> int:
    """Return how many rows were ever read in this database, those thrown away included."""
    await home.rows("SELECT pg_stat_force_next_flush()")
    (row,) = await home.rows("SELECT sum(seq_tup_read) + sum(coalesce(idx_tup_fetch, 0)) AS n FROM pg_stat_user_tables")
    return int(row.n)


def search(query: str) -> Ask:
    return lambda home: home.call("GET", f"/users?limit={PAGE}&{query}", token=home.operator("support"))


async def next_page(home: Home) -> Reply:
    cursor = (await search("q=a")(home)).json()["next"]
    return await search(f"q=a&cursor={cursor}")(home)


async def one_of_them(home: Home) -> UUID:
    (row,) = await home.rows("SELECT id FROM users ORDER BY id LIMIT 1 OFFSET 7")
    found: UUID = row.id
    return found


async def trail_of_one(home: Home) -> Reply:
    return await home.call("GET", f"/users/{await one_of_them(home)}/audit", token=home.operator("admin"))


QUESTIONS: dict[str, Ask] = {
    "sign-in": lambda home: home.sign_in("c4ca4238a0b9@example.org"),
    "sign-in at no account": lambda home: home.sign_in("nobody@example.org", "wrong"),
    "a wrong password": lambda home: home.sign_in("c81e728d9d4c@example.org", "wrong"),
    "registration": lambda home: home.register("c4ca4238a0b9@example.org"),
    "reset": lambda home: home.call("POST", "/password-resets", {"email": "c4ca4238a0b9@example.org"}),
    "the newest accounts": search(""),
    "by how an address begins": search("q=a"),
    "by how a name begins": search("q=f%20"),
    "one address": search("q=c4ca4238a0b9@example.org"),
    "the next page": next_page,
    "by a role of few": search("role=staff"),
    "by a role of all": search("role=customer"),
    "the locked": search("status=locked"),
    "the active": search("status=active"),
    "the locked customers": search("status=locked&role=customer"),
    "by beginning and role": search("q=c&role=admin"),
    "by beginning and status": search("q=c&status=locked"),
    "an account's trail": trail_of_one,
    "the whole trail": lambda home: home.call("GET", "/audit", token=home.operator("admin")),
    "the trail of one action": lambda home: home.call(
        "GET", "/audit?action=roles_changed", token=home.operator("admin")
    ),
}


@pytest.mark.parametrize("mode", MODES)
async def test_no_request_reads_more_than_a_page_of_many_accounts(
    town: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    async with alone(town, monkeypatch, mode) as home:
        most = {}
        for name, ask in QUESTIONS.items():
            before = await read(home)
            reply = await ask(home)
            assert reply.status in {200, 201, 202, 401}, (name, reply.body)
            most[name] = await read(home) - before
        assert max(most.values()) > PAGE, "what is counted is counted"
        assert {name: count for name, count in most.items() if count > MOST} == {}


async def refreshed(home: Home) -> Callable[[Home], Awaitable[Reply]]:
    """Return what refreshes one session again and again."""
    newest = [(await home.sign_in("c4ca4238a0b9@example.org")).json()["refresh_token"]]

    async def refresh(home: Home) -> Reply:
        reply = await home.refresh(newest[-1])
        newest.append(reply.json()["refresh_token"])
        return reply

    return refresh


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_a_million_accounts_take_at_most_twice_as_long_as_ten_thousand(
    postgres_cluster: Cluster, database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few_url, many_url = (database_of(postgres_cluster, database_for("users"), size) for size in (SMALL, FULL))
    async with open_home(few_url, monkeypatch) as few, open_home(many_url, monkeypatch) as many:
        sides = [(home, QUESTIONS | {"refresh": await refreshed(home)}) for home in (few, many)]
        figures = {name: await compared(name, sides) for name in sides[0][1]}
        print(json.dumps({name: [round(ms, 2) for ms in pair] for name, pair in figures.items()}, indent=2))
        assert {name: pair for name, pair in figures.items() if pair[1] > 2 * pair[0]} == {}


async def compared(name: str, sides: list[tuple[Home, dict[str, Ask]]]) -> list[float]:
    """Return how many ms it takes on each side, asked in turns: whatever else the machine does meets both alike."""
    took: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for (home, asks), times in zip(sides, took, strict=True):
            await home.change("DELETE FROM throttles")
            began = time.perf_counter()
            await asks[name](home)
            times.append((time.perf_counter() - began) * 1000)
    return [median(times) for times in took]
