import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from apps.chassis.hot import Hot
from apps.orders.replica import _WROTE_SINCE, Reads, reads_of
from tests.store.orders.shop import ANNA, CLERK, Shop, open_shop, settings_from_environment
from tests.support.asgi import APP_TOKEN, Reply
from tests.support.postgres import Cluster
from tests.support.replicas import Replica, replica


@pytest.fixture(scope="module")
def followed(postgres_cluster: Cluster, database_for: Callable[[str], str]) -> Iterator[tuple[str, Replica]]:
    url = database_for("orders")
    with replica(postgres_cluster) as follower:
        yield url, follower


@pytest.fixture
async def shop(followed: tuple[str, Replica], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    url, follower = followed
    for name, value in (("APP_PORT", "1"), ("APP_API_TOKEN", APP_TOKEN), ("ORDERS_REPLICA_GRACE", "PT0.5S")):
        monkeypatch.setenv(name, value)
    settings = settings_from_environment().model_copy(update={"database_replica_url": SecretStr(follower.url(url))})
    shop = open_shop(url, settings, 3)
    await shop.stock(tea=100)
    yield shop
    await reads(shop).close()
    await shop.database.close()


@pytest.fixture
async def other(shop: Shop, followed: tuple[str, Replica]) -> AsyncIterator[Shop]:
    """Another process of the service: it shares nothing with the first but the database and its replica."""
    another = open_shop(followed[0], shop.chassis.settings, 3)
    yield another
    await reads(another).close()
    await another.database.close()


def reads(shop: Shop) -> Reads:
    found: Reads = shop.chassis.extra.reads
    return found


async def fresh(shop: Shop, who: UUID = ANNA) -> None:
    """Wait until *who* may read from the replica again, and it has all that was written."""
    async with asyncio.timeout(60):
        while not reads(shop).near() or await unseen(shop, who):
            await reads(shop).look()


async def unseen(shop: Shop, who: UUID) -> bool:
    """Tell whether *who* wrote something that the replica is not known to have."""
    async with shop.database.reading() as connection:
        return bool(await _WROTE_SINCE.run(connection, caller=who, seen=reads(shop)._seen))


@contextmanager
def lagging_unnoticed(follower: Replica, *shops: Shop) -> Iterator[None]:
    """Let the replica apply nothing more, and each process believe that it is near."""
    follower.pause()
    try:
        for shop in shops:
            reads(shop)._fresh_at += 60
        yield
    finally:
        for shop in shops:
            reads(shop)._fresh_at -= 60
        follower.resume()


async def note_of(shop: Shop, view: dict[str, Any], who: UUID, role: str = "customer") -> str | None:
    """Return the order's note as *who* sees it, the same by itself and in a list."""
    one = (await shop.call("GET", f"/orders/{view['id']}", who=who, role=role)).json()
    listed = (await shop.call("GET", f"/orders?customer_id={ANNA}&limit=1", who=who, role=role)).json()["items"]
    assert [item["note"] for item in listed] == [one["note"]]
    note: str | None = one["note"]
    return note


async def test_a_callers_own_write_is_seen_at_once_through_every_process_and_others_read_the_replica(
    shop: Shop, other: Shop, followed: tuple[str, Replica]
) -> None:
    view = await shop.placed(tea=1)
    other.papers.kept = shop.papers.kept
    await fresh(shop)
    await fresh(other)
    with lagging_unnoticed(followed[1], shop, other):
        assert (await shop.edit(view, note="new")).status == 200
        for process in (shop, other):
            assert await note_of(process, view, ANNA) == "new", "whoever wrote reads from the database itself"
            assert await note_of(process, view, CLERK, "support") is None, "everybody else reads from the replica"
    await fresh(other)
    with lagging_unnoticed(followed[1], shop, other):
        assert (await other.edit(await other.shown(view["id"]), note="newer")).status == 200
        assert await note_of(shop, view, ANNA) == "newer"
    await fresh(shop)
    assert reads(shop).near()
    assert await note_of(shop, view, ANNA) == "newer"


async def test_every_kind_of_write_is_seen_by_who_wrote_through_another_process(
    shop: Shop, other: Shop, followed: tuple[str, Replica]
) -> None:
    other.papers.kept = shop.papers.kept
    sent, arrived, back, off = [await shop.paid(tea=1) for _ in range(4)]
    parcel = (await shop.ship(arrived)).json()["shipments"][0]["id"]
    await shop.ship(back)
    for who in (ANNA, CLERK):
        await fresh(other, who)
    with lagging_unnoticed(followed[1], shop, other):
        await shop.ship(sent)
        assert await unseen(other, CLERK)
    writes: list[tuple[Callable[[], Awaitable[Reply]], UUID]] = [
        (lambda: shop.deliver_parcel(arrived, parcel), CLERK),
        (lambda: shop.take_back(back, tea=1), CLERK),
        (lambda: shop.cancel(off), ANNA),
        (lambda: shop.place(tea=1), ANNA),
    ]
    for write, who in writes:
        await fresh(other, who)
        with lagging_unnoticed(followed[1], shop, other):
            assert (await write()).status in {200, 201, 202}
            assert await unseen(other, who)


async def test_a_page_takes_three_round_trips_the_documents_included(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = UUID(int=77)
    await shop.placed(tea=1, who=somebody)
    await fresh(shop, somebody)
    asked: list[str] = []
    run = Hot.run

    async def counting(self: Hot, tx: Any, **values: Any) -> list[Any]:
        asked.append(self.text)
        return await run(self, tx, **values)

    monkeypatch.setattr(Hot, "run", counting)
    shop.papers.reads = 0
    assert (await shop.call("GET", "/orders?limit=50", who=somebody)).json()["items"]
    assert (len(asked), shop.papers.reads) == (2, 1)


async def test_a_replica_that_lags_is_left_alone(shop: Shop, followed: tuple[str, Replica]) -> None:
    view = await shop.placed(tea=1)
    await fresh(shop)
    followed[1].pause()
    try:
        await shop.edit(view, note="new")
        await reads(shop).look()
        assert not reads(shop).near()
        others = (await shop.call("GET", f"/orders/{view['id']}", who=CLERK, role="support")).json()
        assert others["note"] == "new"
    finally:
        followed[1].resume()


async def test_a_dead_replica_degrades_to_the_database_itself(shop: Shop, followed: tuple[str, Replica]) -> None:
    view = await shop.placed(tea=1)
    await fresh(shop)
    followed[1].die()
    for _ in range(3):
        assert await shop.shown(view["id"]) == view
        assert [item["id"] for item in (await shop.call("GET", "/orders?limit=1")).json()["items"]] == [view["id"]]
    await reads(shop).look()
    assert not reads(shop).near()


async def test_without_the_setting_everything_is_read_from_the_database(shop: Shop) -> None:
    alone = shop.chassis.settings.model_copy(update={"database_replica_url": None})
    shop.chassis.settings = alone
    lone = reads_of(shop.chassis)
    await lone.look()
    assert not lone.near()
