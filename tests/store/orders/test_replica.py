import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from pydantic import SecretStr

from apps.orders.replica import Reads, reads_of
from tests.store.orders.shop import ANNA, CLERK, Shop, open_shop, settings_from_environment
from tests.support.asgi import APP_TOKEN
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


def reads(shop: Shop) -> Reads:
    found: Reads = shop.chassis.extra.reads
    return found


async def fresh(shop: Shop) -> None:
    """Wait until whoever wrote may read from the replica again, and it has all of that."""
    await asyncio.sleep(reads(shop)._grace_s + 0.01)
    async with asyncio.timeout(10):
        while not reads(shop).on_replica(ANNA):
            await reads(shop).look()


async def test_reads_go_to_the_replica_and_a_callers_own_write_is_seen_at_once(
    shop: Shop, followed: tuple[str, Replica]
) -> None:
    view = await shop.placed(tea=1)
    await fresh(shop)
    follower = followed[1]
    follower.pause()
    try:
        changed = (await shop.edit(view, note="new")).json()
        assert await shop.shown(view["id"]) == changed, "whoever wrote reads from the database itself"
        reads(shop)._fresh_at += 60  # nobody has noticed yet that it lags
        others = (await shop.call("GET", f"/orders/{view['id']}", who=CLERK, role="support")).json()
        assert others["note"] is None, "everybody else reads from the replica"
    finally:
        follower.resume()
    reads(shop)._fresh_at -= 60
    await fresh(shop)
    assert (await shop.shown(view["id"]))["note"] == "new"


async def test_a_replica_that_lags_is_left_alone(shop: Shop, followed: tuple[str, Replica]) -> None:
    view = await shop.placed(tea=1)
    await fresh(shop)
    followed[1].pause()
    try:
        await shop.edit(view, note="new")
        await reads(shop).look()
        assert not reads(shop).on_replica(CLERK)
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
    assert not reads(shop).on_replica(ANNA)


async def test_without_the_setting_everything_is_read_from_the_database(shop: Shop) -> None:
    alone = shop.chassis.settings.model_copy(update={"database_replica_url": None})
    shop.chassis.settings = alone
    lone = reads_of(shop.chassis)
    await lone.look()
    assert not lone.on_replica(ANNA)
