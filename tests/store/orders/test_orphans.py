"""A crash between any two steps leaves a document too many at most, and that goes; never an order without one."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from apps.chassis import seams
from apps.orders import intents
from tests.store.orders.shop import Shop


class CrashError(BaseException):
    """The process is gone: nothing that would have followed happens."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_ASK_AFTER", "PT1H")


async def sweep(shop: Shop) -> int:
    return await intents.sweep(shop.chassis, timedelta(0), 100)


def crash_at(monkeypatch: pytest.MonkeyPatch, point: str, nth: int = 1) -> None:
    """Die when *point* is passed for the *nth* time."""
    passed = 0

    def hit(seam: str) -> None:
        nonlocal passed
        passed += seam == point
        if passed == nth and seam == point:
            raise CrashError

    monkeypatch.setattr(seams, "_hit", hit)


def crash_in_store(monkeypatch: pytest.MonkeyPatch, shop: Shop, *, after: bool) -> None:
    put = shop.papers.put_documents

    async def dying(store: str, documents: Any, ttl_s: int | None = None) -> None:
        if after:
            await put(store, documents, ttl_s)
        raise CrashError

    monkeypatch.setattr(shop.papers, "put_documents", dying)


CRASHES: dict[str, Callable[[pytest.MonkeyPatch, Shop], None]] = {
    "before the document": lambda monkeypatch, shop: crash_in_store(monkeypatch, shop, after=False),
    "after the document": lambda monkeypatch, shop: crash_in_store(monkeypatch, shop, after=True),
    "before the commit": lambda monkeypatch, _shop: crash_at(monkeypatch, "commit.before"),
    "after the commit": lambda monkeypatch, _shop: crash_at(monkeypatch, "commit.after"),
}


async def consistent(shop: Shop) -> None:
    """Every order has its document, and once the sweeper was there no document is without an order."""
    async with shop.database.reading() as connection:
        rows = await connection.exec_driver_sql("SELECT id::text || '.' || document_revision FROM orders")
        named = set(rows.scalars())
    assert named <= shop.papers.kept.keys()
    await sweep(shop)
    assert named == shop.papers.kept.keys()
    assert await shop.count("document_intents") == 0


@pytest.mark.parametrize("crash", CRASHES)
async def test_placing_that_dies_leaves_nothing_but_an_orphan(
    shop: Shop, crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        CRASHES[crash](dying, shop)
        with pytest.raises(CrashError):
            await asyncio.wait_for(_place_without_group(shop), 10)
    await consistent(shop)
    assert await shop.left("tea") == 10 - await shop.count("orders")


async def _place_without_group(shop: Shop) -> None:
    """Place as the group does; by itself, so that its death is seen here."""
    handled = asyncio.ensure_future(shop.place(tea=1, key="k"))
    await asyncio.sleep(0)
    while not handled.done():
        worker = shop.chassis.extra.checkout._worker
        if worker and worker.done() and (error := worker.exception()):
            handled.cancel()
            raise error
        await asyncio.sleep(0.001)
    await handled


@pytest.mark.parametrize("crash", CRASHES)
async def test_an_edit_that_dies_leaves_the_order_with_one_document(
    shop: Shop, crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await shop.placed(tea=1)
    with monkeypatch.context() as dying:
        if crash.endswith("commit"):
            # an edit reads in a transaction of its own first
            crash_at(dying, f"commit.{crash.split(maxsplit=1)[0]}", nth=2)
        else:
            CRASHES[crash](dying, shop)
        with pytest.raises(CrashError):
            await shop.edit(view, note="x")
    await consistent(shop)
    assert (await shop.shown(view["id"]))["note"] == ("x" if crash == "after the commit" else None)


async def test_a_sweeper_that_dies_is_followed_by_another(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        crash_in_store(dying, shop, after=True)
        with pytest.raises(CrashError):
            await _place_without_group(shop)
    for point in ("commit.after", "commit.before"):
        with monkeypatch.context() as dying:
            crash_at(dying, point, nth=1 if point == "commit.after" else 2)
            with pytest.raises(CrashError):
                await sweep(shop)
    await consistent(shop)
    assert shop.papers.kept == {}


async def test_who_was_swept_meanwhile_gets_no_order_without_a_document(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = shop.papers.put_documents

    async def slow(store: str, documents: Any, ttl_s: int | None = None) -> None:
        await put(store, documents, ttl_s)
        assert await sweep(shop) == 1

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(shop.papers, "put_documents", slow)
        assert (await shop.place(tea=1)).status == 503
    assert await shop.count("orders") == 0
    await consistent(shop)


async def test_what_is_young_is_left_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        crash_in_store(dying, shop, after=True)
        with pytest.raises(CrashError):
            await _place_without_group(shop)
    await shop.tick()
    assert len(shop.papers.kept) == 1


async def test_whoever_gets_nothing_in_a_group_leaves_no_document(shop: Shop) -> None:
    await shop.stock(tea=3)
    replies = await asyncio.gather(*(shop.place(tea=2) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [201, 409, 409, 409]
    await consistent(shop)
