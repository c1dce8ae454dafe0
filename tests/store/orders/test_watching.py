import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
import pytest

from apps.orders import running
from apps.orders.running import Running
from apps.orders.tables import Key
from tests.store.orders.shop import ANNA, BERT, Shop
from tests.support.asgi import call


@pytest.fixture
def pool() -> int:
    return 3


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_STREAM_POLL", "PT0.02S")
    monkeypatch.setenv("ORDERS_STREAM_FOR", "PT1.5S")


@asynccontextmanager
async def looking(shop: Shop) -> AsyncIterator[Running]:
    found: Running = shop.chassis.extra
    task = asyncio.ensure_future(running.watch_orders(shop.chassis))
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def watch(shop: Shop, view: dict[str, Any], last: int | None = None) -> list[dict[str, Any]]:
    """Follow one stream to its end."""
    headers = {"authorization": f"Bearer customer:{ANNA}"} | ({} if last is None else {"last-event-id": str(last)})
    reply = await call(shop.app, "GET", f"/orders/{view['id']}/events", headers=headers, patient=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    events: list[dict[str, Any]] = []
    for block in reply.body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            events.append({"id": int(fields["id"]), "event": fields["event"], **orjson.loads(fields["data"])})
    return events


async def until_watched(shop: Shop, how_many: int) -> None:
    async with asyncio.timeout(30):
        while shop.chassis.extra.streams._count < how_many:
            await asyncio.sleep(0.005)


async def test_each_change_comes_as_it_happens_also_from_another_replica_and_the_stream_ends_itself(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    async with looking(shop):
        streams = [asyncio.ensure_future(watch(shop, view, last)) for last in (None, 1)]
        await until_watched(shop, 2)
        await shop.capture(view)  # nothing in this process says so: the timeline is looked at
        seen, resumed = await asyncio.gather(*streams)
    assert [(event["id"], event["event"]) for event in seen] == [(1, "order_placed"), (2, "payment_captured")]
    assert resumed == seen[1:]
    trail = (await shop.call("GET", f"/orders/{view['id']}/timeline")).json()["items"]
    assert [{k: v for k, v in event.items() if k not in {"id", "event"}} for event in seen] == trail
    assert not shop.chassis.extra.streams._watchers


async def test_all_watchers_of_a_process_share_one_query(shop: Shop) -> None:
    views = [await shop.placed(tea=1) for _ in range(3)]
    asked = 0
    reading = shop.database.reading

    def counting() -> Any:
        nonlocal asked
        asked += 1
        return reading()

    streams = shop.chassis.extra.streams
    watchers = [streams.watch(_key(view), 0) for view in views for _ in range(2)]
    for watcher in watchers:
        assert (await anext(watcher)).startswith(b"retry")
    streams._database = type("Counting", (), {"reading": staticmethod(counting)})()
    await streams.look()
    assert asked == 1
    assert all([b"order_placed" in await anext(watcher) for watcher in watchers])
    for watcher in watchers:
        await watcher.aclose()
    assert streams._count == 0


def _key(view: dict[str, Any]) -> Key:
    return Key(UUID(view["id"]), UUID(view["customer_id"]))


async def test_anothers_order_is_not_watched_and_a_full_house_says_so(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await shop.placed(tea=1)
    assert (await shop.call("GET", f"/orders/{view['id']}/events", who=BERT)).status == 404
    monkeypatch.setattr(shop.chassis.extra.streams, "_most", 0)
    reply = await shop.call("GET", f"/orders/{view['id']}/events")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
