import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis import idempotency
from apps.chassis.idempotency import IdempotencyKey
from tests.store.orders.shop import ADDRESS, ANNA, BERT, Shop, order


async def test_an_order_is_answered_as_it_is_read_later(shop: Shop) -> None:
    body = order(tea=2, leaflet=1, note="ring twice")
    body["lines"][0]["configuration"] = {"leaves": "whole"}
    reply = await shop.call("POST", "/orders", body, key="k")
    placed = reply.json()
    assert reply.status == 201
    assert (reply.headers["location"], reply.headers["etag"]) == (f"/orders/{placed['id']}", '"1"')
    assert (placed["total"], placed["note"]) == ({"amount": 5997, "currency": "EUR"}, "ring twice")
    assert placed["lines"][0] | {"unit_price": None} == {
        "sku": "tea", "name": "The tea", "quantity": 2, "unit_price": None, "configuration": {"leaves": "whole"},
        "shipped": 0, "returned": 0,
    }  # fmt: skip
    assert placed["allowed_transitions"] == ["cancelled", "expired", "paid"]
    assert await shop.shown(placed["id"]) == placed
    assert [await shop.left("tea"), await shop.left("leaflet")] == [8, None]


async def test_a_placed_order_is_told_once_with_its_total_and_payment_method(shop: Shop) -> None:
    placed = await shop.placed(tea=1)
    (told,) = await shop.told("order-placed")
    assert (told["order_id"], told["sequence"], told["total"]) == (placed["id"], 1, placed["total"])
    assert told["payment_method"] == "pm_card_visa"


async def test_the_same_key_gives_the_same_answer_and_writes_nothing_more(shop: Shop) -> None:
    first, second = [await shop.place(tea=1, key="same") for _ in range(2)]
    assert (first.body, first.status) == (second.body, second.status)
    assert second.headers["idempotent-replayed"] == "true"
    assert len(shop.papers.kept) == await shop.count("orders") == await shop.count("outbox") == 1
    assert (await shop.place(tea=2, key="same")).json()["type"] == "/problems/idempotency-key-reused"


async def test_an_order_whose_answer_cannot_be_kept_is_undone_and_spares_its_group(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = idempotency.begin_many
    await shop.place(tea=1, key="taken")

    async def blind(tx: AsyncSession, keys: Sequence[IdempotencyKey]) -> dict[UUID, Exception]:
        await begun(tx, keys)
        return {}  # as where the twin's reply is committed after the look

    async def unseen(_connection: AsyncConnection, _keys: Sequence[IdempotencyKey]) -> dict[UUID, Any]:
        return {}

    monkeypatch.setattr(idempotency, "begin_many", blind)
    monkeypatch.setattr(idempotency, "recall_many", unseen)
    twin, other = await asyncio.gather(shop.place(tea=1, key="taken"), shop.place(tea=2, key="free"))
    assert (twin.status, twin.json()["type"]) == (409, "/problems/request-in-progress")
    assert other.status == 201
    assert [await shop.count("orders"), await shop.count("outbox"), await shop.left("tea")] == [2, 2, 7]


async def test_prices_are_those_of_the_list_at_the_time_and_stay(shop: Shop) -> None:
    placed = await shop.placed(tea=1)
    dearer = {"name": "Dear tea", "price": {"amount": 9900, "currency": "EUR"}, "stock": 5, "active": True}
    await shop.call("PUT", "/products/tea", dearer, role="staff")
    assert (await shop.shown(placed["id"]))["lines"][0]["unit_price"]["amount"] == 1999
    assert (await shop.placed(tea=1))["total"]["amount"] == 9900


async def test_an_article_put_without_its_stock_is_refused_and_stays_counted(shop: Shop) -> None:
    article = {"name": "Tea", "price": {"amount": 1, "currency": "EUR"}, "active": True}
    reply = await shop.call("PUT", "/products/tea", article, role="staff")
    assert (reply.status, [error["pointer"] for error in reply.json()["errors"]]) == (422, ["#/stock"])
    assert await shop.left("tea") == 10
    assert (await shop.call("PUT", "/products/tea", article | {"stock": None}, role="staff")).status == 200
    assert await shop.left("tea") is None


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in order(tea=1).items() if key != name}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (order(tea=1, nothing=1), "#/lines/1/sku"),
        (order(tea=1, retired=1), "#/lines/1/sku"),
        (order(tea=1, dollars=1), "#/lines/1/sku"),
        (order(tea=0), "#/lines/0/quantity"),
        (order(tea=1001), "#/lines/0/quantity"),
        (order(), "#/lines"),
        (order() | {"lines": [{"sku": "tea", "quantity": 1}] * 2}, "#/lines"),
        (order() | {"lines": [{"sku": f"s{n}", "quantity": 1} for n in range(101)]}, "#/lines"),
        (_without("shipping_address"), "#/shipping_address"),
        (order(tea=1, note="pay with 4242 4242 4242 4242"), "#/note"),
        (order(tea=1) | {"payment_method": "4242424242424242"}, "#/payment_method"),
        (order(tea=1) | {"shipping_address": ADDRESS | {"line2": "5555555555554444"}}, "#/shipping_address/line2"),
        (order() | {"lines": [{"sku": "tea", "quantity": 1, "configuration": {"a": [4242424242424242]}}]},
         "#/lines/0/configuration"),
    ],
)  # fmt: skip
async def test_what_cannot_be_ordered_is_refused_by_pointer_and_nothing_is_written(
    shop: Shop, body: dict[str, Any], pointer: str
) -> None:
    changes: dict[str, dict[str, Any]] = {
        "retired": {"active": False},
        "dollars": {"price": {"amount": 1, "currency": "USD"}},
    }
    for sku, change in changes.items():
        article = {"name": "x", "price": {"amount": 1, "currency": "EUR"}, "stock": 5, "active": True} | change
        assert (await shop.call("PUT", f"/products/{sku}", article, role="staff")).status == 200
    reply = await shop.call("POST", "/orders", body, key="k")
    assert (reply.status, [error["pointer"] for error in reply.json()["errors"]]) == (422, [pointer]), reply.body
    assert not shop.papers.kept
    assert [await shop.count(table) for table in ("orders", "outbox", "idempotent_replies")] == [0, 0, 0]


async def test_what_is_short_is_named_and_nothing_is_taken(shop: Shop) -> None:
    reply = await shop.place(tea=1, pot=11)
    assert (reply.status, reply.json()["type"]) == (409, "/problems/out-of-stock")
    assert "pot" in reply.json()["detail"]
    assert "tea" not in reply.json()["detail"]
    assert [await shop.left("tea"), await shop.left("pot")] == [10, 10]


async def test_the_dearest_possible_order_still_has_a_total(shop: Shop) -> None:
    body = order({f"gem{n}": 1000 for n in range(100)})
    for line in body["lines"]:
        article = {"name": "Gem", "price": {"amount": 10**10, "currency": "EUR"}, "stock": None, "active": True}
        await shop.call("PUT", f"/products/{line['sku']}", article, role="staff")
    reply = await shop.call("POST", "/orders", body, key="k")
    assert (reply.status, reply.json()["total"]["amount"]) == (201, 10**15)


async def test_without_its_document_no_order_comes_to_be(shop: Shop) -> None:
    shop.papers.away = True
    assert (await shop.place(tea=1, key="k")).status == 503
    assert await shop.count("orders") == 0
    shop.papers.away = False
    assert (await shop.place(tea=1, key="k")).status == 201


async def test_a_missing_document_is_an_outage_and_never_a_missing_order(shop: Shop) -> None:
    placed = await shop.placed(tea=1)
    shop.papers.kept.clear()
    assert (await shop.call("GET", f"/orders/{placed['id']}")).status == 503
    assert (await shop.call("GET", "/orders")).status == 503


class TestCrowds:
    @pytest.fixture
    def pool(self) -> int:
        return 12

    async def test_fifty_buyers_of_ten_pieces_get_ten(self, shop: Shop) -> None:
        replies = await asyncio.gather(*(shop.place(tea=1, who=who) for who in [ANNA, BERT] * 25))
        assert Counter(reply.status for reply in replies) == {201: 10, 409: 40}
        assert await shop.left("tea") == 0
        assert await shop.count("orders") == len(await shop.told("order-placed")) == 10

    async def test_baskets_in_opposite_order_neither_deadlock_nor_oversell(self, shop: Shop) -> None:
        await shop.stock(tea=20, pot=20)
        baskets = [{"tea": 1, "pot": 2}, {"pot": 2, "tea": 1}] * 15
        replies = await asyncio.gather(*(shop.place(basket) for basket in baskets))
        assert Counter(reply.status for reply in replies) == {201: 10, 409: 20}
        assert [await shop.left("tea"), await shop.left("pot")] == [10, 0]

    async def test_twenty_twins_at_once_make_one_order(self, shop: Shop) -> None:
        replies = await asyncio.gather(*(shop.place(tea=1, key="twin") for _ in range(20)))
        assert {reply.status for reply in replies} <= {201, 409}
        assert len({reply.body for reply in replies if reply.status == 201}) == 1
        assert await shop.count("orders") == await shop.count("outbox") == 1
        assert await shop.left("tea") == 9

    async def test_cancelling_and_buying_at_once_keep_the_count(self, shop: Shop) -> None:
        placed = [await shop.placed(tea=1, pot=1) for _ in range(8)]
        cancels = [shop.call("POST", f"/orders/{view['id']}/cancel", key=view["id"]) for view in placed]
        replies = await asyncio.gather(*cancels, *(shop.place(pot=1, tea=1) for _ in range(8)))
        assert {reply.status for reply in replies[:8]} == {202}
        sold = sum(reply.status == 201 for reply in replies[8:])
        assert await shop.left("tea") == await shop.left("pot") == 10 - sold
