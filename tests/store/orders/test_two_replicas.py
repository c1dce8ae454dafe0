"""Two processes of the service, each with its own connections and memory, get in each other's way at every point."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest

from apps.orders import intents, leaving, store
from tests.store.orders.mortal import NOW
from tests.store.orders.shop import ANNA, BERT, Shop, capture, open_shop, settings_from_environment
from tests.support.asgi import APP_TOKEN

ROUNDS = 4
Pair = tuple[Shop, Shop]


@pytest.fixture
async def pair(database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    for name, value in (("APP_PORT", "1"), ("APP_API_TOKEN", APP_TOKEN), ("ORDERS_ASK_AFTER", "PT0S"),
                        ("ORDERS_EXPIRE_AFTER", "PT0S")):  # fmt: skip
        monkeypatch.setenv(name, value)
    url = database_for("orders")
    one, two = (open_shop(url, settings_from_environment(), 4) for _ in range(2))
    two.papers.kept = one.papers.kept
    await one.stock(tea=10, pot=10)
    yield one, two
    for shop in (one, two):
        await shop.database.close()


async def both(*work: Awaitable[object]) -> None:
    await asyncio.gather(*work)


async def standing(shop: Shop, order_id: str) -> tuple[str, str]:
    view = await shop.shown(order_id)
    return view["status"], view["payment_status"]


async def test_together_they_sell_what_there_is(pair: Pair) -> None:
    baskets = [{"tea": 1, "pot": 1}, {"pot": 1, "tea": 1}]
    buying = (pair[n % 2].place(baskets[n % 2], who=[ANNA, BERT][n % 2]) for n in range(40))
    replies = await asyncio.gather(*buying)
    assert Counter(reply.status for reply in replies) == {201: 10, 409: 30}
    assert [await pair[0].left("tea"), await pair[1].left("pot")] == [0, 0]


async def test_a_key_that_both_are_sent_makes_one_order(pair: Pair) -> None:
    replies = await asyncio.gather(*(pair[n % 2].place(tea=1, key="twin") for n in range(20)))
    assert {reply.status for reply in replies} <= {201, 409}
    assert len({reply.body for reply in replies if reply.status == 201}) == 1
    assert await pair[0].count("orders") == await pair[0].count("outbox") == 1


async def test_an_order_that_one_cancels_and_the_other_sends_is_one_of_the_two(pair: Pair) -> None:
    one, two = pair
    for _ in range(ROUNDS):
        view = await one.paid(tea=1)
        replies = await asyncio.gather(one.cancel(view), two.ship(view))
        assert sorted(reply.status for reply in replies) in ([201, 409], [202, 409])
        sent = replies[1].status == 201
        assert (await two.shown(view["id"]))["status"] == ("shipped" if sent else "cancelled")
    assert await one.left("tea") == 10 - len(await two.told("order-shipped"))


async def test_expiry_here_cancel_there_and_a_capture_that_both_hear_end_in_one_outcome(pair: Pair) -> None:
    one, two = pair
    for _ in range(ROUNDS):
        view = await one.placed(tea=1)
        await asyncio.sleep(0.002)
        heard = ("c" + view["id"], capture(view))
        await both(
            leaving.expire_unpaid(one.chassis), two.cancel(view), leaving.expire_unpaid(two.chassis),
            one.deliver(heard, topic="payment-captured"), two.deliver(heard, topic="payment-captured"),
        )  # fmt: skip
        assert await standing(one, view["id"]) in {("expired", "captured"), ("cancelled", "captured")}
    ends = [len(await one.told(topic)) for topic in ("order-expired", "order-cancelled")]
    assert sum(ends) == ROUNDS
    assert await two.left("tea") == 10


async def test_of_two_edits_of_one_state_one_counts_and_its_document_is_the_orders(pair: Pair) -> None:
    one, two = pair
    for _ in range(ROUNDS):
        view = await one.placed(tea=1)
        replies = await asyncio.gather(one.edit(view, note="one"), two.edit(view, note="two"))
        assert sorted(reply.status for reply in replies) == [200, 412]
        assert (await two.shown(view["id"]))["note"] == ["one", "two"][replies[1].status == 200]
    await both(intents.sweep(one.chassis, NOW, 100), intents.sweep(two.chassis, NOW, 100))
    assert len(one.papers.kept) == ROUNDS


async def test_what_came_back_to_both_is_refunded_once_for_its_pieces(pair: Pair) -> None:
    one, two = pair
    view = await one.paid(tea=3)
    await one.ship(view)
    replies = await asyncio.gather(*(pair[n % 2].take_back(view, tea=2) for n in range(6)))
    assert sorted(reply.status for reply in replies) == [201, *[409] * 5]
    assert [back["refund"]["amount"] for back in (await two.shown(view["id"]))["returns"]] == [2 * 1999]


async def test_what_one_asks_about_or_expires_the_other_passes_over(pair: Pair) -> None:
    one, two = pair
    views = {UUID((await one.placed(tea=1))["id"]) for _ in range(3)}
    await asyncio.sleep(0.002)
    async with one.database.transaction() as first:
        assert {order.id for order in await store.take_waiting(first, NOW, 10)} == views
        async with two.database.transaction() as second:
            assert await store.take_waiting(second, NOW, 10) == []
        assert await leaving.expire_unpaid(two.chassis) == 0
    assert await leaving.expire_unpaid(two.chassis) == 3
