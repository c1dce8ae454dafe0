"""Who waits for whom, made to happen rather than hoped for."""

import asyncio
from collections.abc import Awaitable

import pytest
from sqlalchemy import text

from apps.contracts.payments import PaymentCaptured
from apps.orders import facts, placing
from tests.store.orders.shop import Shop, capture

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@pytest.fixture
def pool() -> int:
    return 4


async def until_somebody_waits(shop: Shop) -> None:
    async with asyncio.timeout(60):
        while True:
            async with shop.database.transaction() as tx:
                if await tx.scalar(_WAITING):
                    return
            await asyncio.sleep(0.01)


async def settle(shop: Shop, fact: PaymentCaptured) -> None:
    async with shop.database.transaction() as tx:
        await facts.captured(tx, [fact])


async def reserve(shop: Shop, *skus: str) -> None:
    async with shop.database.transaction() as tx:
        await placing.lock(tx, skus)
        await placing.take(tx, dict.fromkeys(skus, 1))


async def begun_and_waiting(shop: Shop, task: Awaitable[None]) -> asyncio.Future[None]:
    waiting = asyncio.ensure_future(task)
    await until_somebody_waits(shop)
    return waiting


async def test_a_fact_that_is_being_settled_makes_its_twin_wait_and_then_say_nothing_new(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    fact = PaymentCaptured.model_validate(capture(view))
    async with shop.database.transaction() as tx:
        await facts.captured(tx, [fact])
        twin = await begun_and_waiting(shop, settle(shop, fact))
    await twin
    assert len(await shop.told("order-paid")) == 1
    assert (await shop.shown(view["id"]))["revision"] == 2


async def test_who_waits_for_the_first_article_by_name_holds_no_later_one(shop: Shop) -> None:
    async with shop.database.transaction() as tx:
        await tx.execute(text("SELECT 1 FROM products WHERE sku = 'pot' FOR UPDATE"))
        buyer = await begun_and_waiting(shop, reserve(shop, "tea", "pot"))
        async with shop.database.transaction() as other:
            await other.execute(text("SELECT 1 FROM products WHERE sku = 'tea' FOR UPDATE NOWAIT"))
    await buyer
    assert [await shop.left("tea"), await shop.left("pot")] == [9, 9]
