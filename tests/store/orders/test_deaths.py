"""Killed between any two steps of whatever it does, orders ends where it would have ended anyway.

A process with the service's own code is killed (SIGKILL) before a step. Then the client asks again under its key, the
broker hands out the event again, the clock ticks again, the sweeper sweeps: what is left must be what a life without a
death leaves, word for word.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from apps.orders import intents
from tests.store.orders.mortal import NOW, do, open_mortal
from tests.store.orders.scenes import FEW, SCENES, Act, Scene, Stage
from tests.store.orders.shop import Shop
from tests.support.asgi import APP_TOKEN
from tests.support.mortality import Lives, buried, moments

FIRST = 10
_ORDERS = text("""
SELECT id, status, payment_status, fulfilment_status, total, captured, refunded, returned, revision,
    document_revision FROM orders WHERE customer_id = :who ORDER BY id
""")
_LINES = text("SELECT quantity, shipped, returned FROM order_lines WHERE order_id = :id ORDER BY position")
_TIMELINE = text("SELECT trigger, note FROM order_timeline WHERE order_id = :id ORDER BY entry")
_PARCELS = text("""
SELECT (SELECT count(*) FROM order_shipments WHERE order_id = :id),
    (SELECT count(*) FROM order_shipments WHERE order_id = :id AND delivered_at IS NOT NULL),
    (SELECT coalesce(sum(refund), 0) FROM order_returns WHERE order_id = :id)
""")


@pytest.fixture(scope="module")
def url(database_for: Callable[[str], str]) -> str:
    return database_for("orders")


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("APP_PORT", "1"), ("APP_API_TOKEN", APP_TOKEN), ("ORDERS_ASK_AFTER", "PT0S"),
                            ("ORDERS_EXPIRE_AFTER", "PT0S")):  # fmt: skip
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def lives(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lives, Path]]:
    shelf = tmp_path_factory.mktemp("shelf")
    running = Lives("tests.store.orders.mortal", url, str(shelf))
    yield running, shelf
    running.close()


@pytest.fixture
async def shop(url: str, lives: tuple[Lives, Path]) -> AsyncIterator[Shop]:
    opened = open_mortal(url, str(lives[1]))
    yield opened
    await opened.database.close()


NUMBERS = count(1000)


async def stage(shop: Shop) -> Stage:
    number = next(NUMBERS)
    sku = f"tea-{number}"
    await shop.stock(**{sku: FIRST})
    return Stage(shop, sku, UUID(int=number))


async def again(shop: Shop, act: Act) -> None:
    """Whoever heard nothing asks again; who is told that the first is still under way, a moment later."""
    async with asyncio.timeout(60):
        while (reply := await do(shop, act)) and (reply.status == 409 and b"request-in-progress" in reply.body):
            await asyncio.sleep(0.01)
    # an edit that was done meets another revision the second time, and says so
    assert reply is None or reply.status < 300 or (act["method"], reply.status) == ("PATCH", 412), reply.body
    for _ in range(2):
        await intents.sweep(shop.chassis, NOW, 100)


async def outcome(stage: Stage) -> dict[str, Any]:
    """Return all that is left of a life, without what chance or the clock chose."""
    shop = stage.shop
    async with shop.database.transaction() as tx:
        rows = (await tx.execute(_ORDERS, {"who": stage.who})).all()
        told = [orjson.loads(row) for row in await tx.scalars(text("SELECT envelope FROM outbox ORDER BY id"))]
        parts = [
            [[tuple(found) for found in await tx.execute(question, {"id": row.id})]
             for question in (_LINES, _TIMELINE, _PARCELS)]
            for row in rows
        ]  # fmt: skip
    ids, all_named = {str(row.id) for row in rows}, await _named(shop)
    named = {f"{row.id}.{row.document_revision}" for row in rows}
    return {
        "orders": [tuple(row)[1:-1] for row in rows],
        "lines, timeline, parcels": [[*each[:1], [_nameless(entry) for entry in each[1]], *each[2:]] for each in parts],
        "told": [(fact["topic"], fact["data"]["sequence"]) for fact in told if fact["data"].get("order_id") in ids],
        "left": await shop.left(stage.sku),
        "documents missing": sorted(named - set(shop.papers.kept)),
        "orphans": len(set(shop.papers.kept) - all_named),
        "on their way": await shop.count("document_intents"),
        "dead letters": await shop.count("dead_letters"),
    }


def _nameless(entry: tuple[str, str | None]) -> tuple[str, str | None]:
    trigger, note = entry
    return trigger, None if note and note.startswith("shipment ") else note


async def _named(shop: Shop) -> set[str]:
    async with shop.database.reading() as connection:
        found = await connection.exec_driver_sql("SELECT id::text || '.' || document_revision FROM orders")
        return set(found.scalars())


async def die_at_each(scene: Scene, shop: Shop, lives: Lives, *, every: bool) -> int:
    whole = await stage(shop)
    act = await scene(whole)
    lived = lives.live(act, 0)
    assert lived["status"] < 300
    await again(shop, act)
    expected = await outcome(whole)
    assert (expected["documents missing"], expected["orphans"], expected["on their way"]) == ([], 0, 0)
    deaths = range(1, len(lived["steps"]) + 1) if every else moments(lived["steps"])
    for at in deaths:
        scenery = await stage(shop)
        act = await scene(scenery)
        assert lives.live(act, at) == {"killed_by": 9}, (at, lived["steps"])
        await buried(shop.database)
        await again(shop, act)
        assert await outcome(scenery) == expected, f"killed before step {at} of {lived['steps']}"
    return len(deaths)


@pytest.mark.parametrize("scene", FEW, ids=lambda scene: scene.__name__)
async def test_killed_where_something_becomes_true_it_ends_as_if_nothing_had_happened(
    scene: Scene, shop: Shop, lives: tuple[Lives, Path]
) -> None:
    assert await die_at_each(scene, shop, lives[0], every=False) >= 2


@pytest.mark.soak
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_killed_before_any_step_it_ends_as_if_nothing_had_happened(
    scene: Scene, shop: Shop, lives: tuple[Lives, Path]
) -> None:
    print(scene.__name__, await die_at_each(scene, shop, lives[0], every=True))
