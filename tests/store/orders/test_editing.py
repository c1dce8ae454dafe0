import asyncio
from typing import Any

import pytest

from tests.store.orders.shop import ADDRESS, BERT, Shop, capture, decline, refund
from tests.support.asgi import Reply


def standing(view: dict[str, Any]) -> tuple[str, str]:
    return view["status"], view["payment_status"]


async def slug(reply: Reply) -> str:
    return str(reply.json()["type"]).rpartition("/")[2]


async def test_an_edit_before_payment_changes_lines_address_and_note_and_leaves_the_rest(shop: Shop) -> None:
    view = await shop.placed(tea=2)
    elsewhere = ADDRESS | {"city": "Köln"}
    reply = await shop.edit(view, lines=[{"sku": "pot", "quantity": 1}, {"sku": "tea", "quantity": 1}],
                            shipping_address=elsewhere)  # fmt: skip
    changed = reply.json()
    assert (reply.status, reply.headers["etag"]) == (200, f'"{changed["revision"]}"')
    assert [(line["sku"], line["quantity"]) for line in changed["lines"]] == [("tea", 1), ("pot", 1)]
    assert (changed["shipping_address"]["city"], changed["total"]["amount"]) == ("Köln", 3998)
    assert await shop.shown(view["id"]) == changed
    assert [await shop.left("tea"), await shop.left("pot")] == [9, 9]
    (told,) = await shop.told("order-changed")
    assert (told["sequence"], told["total"]) == (changed["revision"], changed["total"])
    noted = (await shop.edit(changed, note="ring twice")).json()
    assert (noted["note"], noted["shipping_address"]["city"], noted["lines"]) == (
        "ring twice",
        "Köln",
        changed["lines"],
    )
    assert (await shop.edit(noted, note=None)).json()["note"] is None


@pytest.mark.parametrize(("match", "status", "said"), [
    ("", 428, "revision-required"), ('"7"', 412, "revision-differs"), ("nonsense", 412, "revision-differs"),
    ("*", 200, ""), ('"1"', 200, ""), ('W/"1"', 200, ""),
])  # fmt: skip
async def test_an_edit_names_the_state_it_is_meant_for(shop: Shop, match: str, status: int, said: str) -> None:
    view = await shop.placed(tea=1)
    reply = await shop.edit(view, match=match, note="x")
    assert reply.status == status
    assert not said or await slug(reply) == said


async def test_a_dearer_order_waits_for_the_difference_before_it_is_sent(shop: Shop) -> None:
    view = await shop.paid(tea=1)
    changed = await shop.edited(view, tea=2)
    assert standing(changed) == ("paid", "pending")
    assert "not complete" in (await shop.ship(view)).json()["detail"]
    await shop.deliver(("d", capture(view, 1999, so_far=3998)), topic="payment-captured")
    assert standing(await shop.shown(view["id"])) == ("paid", "captured")
    assert (await shop.ship(view)).status == 201
    assert len(await shop.told("order-paid")) == 1


async def test_a_refused_difference_keeps_the_order_in_the_house_until_it_is_taken_back(shop: Shop) -> None:
    view = await shop.paid(tea=1)
    await shop.edited(view, tea=2)
    refused = decline(view, 3) | {"captured": {"amount": 1999, "currency": "EUR"}}
    await shop.deliver(("d", refused), topic="payment-declined")
    assert standing(await shop.shown(view["id"])) == ("paid", "declined")
    assert "take lines off" in (await shop.ship(view)).json()["detail"]
    assert standing(await shop.edited(view, tea=1)) == ("paid", "captured")
    assert (await shop.ship(view)).status == 201


async def test_a_cheaper_order_stays_paid_and_its_stock_is_free_again(shop: Shop) -> None:
    view = await shop.paid(tea=3)
    changed = await shop.edited(view, tea=1)
    assert standing(changed) == ("paid", "captured")
    assert await shop.left("tea") == 9
    await shop.deliver(("r", refund(view, 3998)), topic="payment-refunded")
    assert standing(await shop.shown(view["id"])) == ("paid", "partly_refunded")
    assert (await shop.ship(view)).status == 201


async def test_what_went_back_for_a_cheaper_order_does_not_pay_for_a_dearer_one(shop: Shop) -> None:
    view = await shop.paid(tea=2)
    await shop.edited(view, tea=1)
    assert standing(await shop.edited(view, tea=2)) == ("paid", "pending")
    await shop.deliver(("r", refund(view, 1999)), topic="payment-refunded")
    assert standing(await shop.shown(view["id"])) == ("paid", "pending")
    assert (await shop.ship(view)).status == 409
    await shop.deliver(("d", capture(view, 1999, so_far=3 * 1999)), topic="payment-captured")
    assert standing(await shop.shown(view["id"])) == ("paid", "captured")


async def test_an_old_price_captured_for_an_order_that_grew_meanwhile_falls_short(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.edited(view, tea=2)
    await shop.capture(view)
    assert standing(await shop.shown(view["id"])) == ("placed", "pending")
    await shop.deliver(("d", capture(view, 1999, so_far=3998)), topic="payment-captured")
    assert standing(await shop.shown(view["id"])) == ("paid", "captured")
    assert [fact["total"]["amount"] for fact in await shop.told("order-paid")] == [3998]


async def test_an_edit_back_to_what_was_captured_pays_the_order(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.edited(view, tea=2)
    await shop.capture(view)
    assert standing(await shop.edited(view, tea=1)) == ("paid", "captured")
    assert [fact["total"]["amount"] for fact in await shop.told("order-paid")] == [1999]


async def test_more_than_there_is_cannot_be_added_and_nothing_changes(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    reply = await shop.edit(view, lines=[{"sku": "tea", "quantity": 11}])
    assert (reply.status, await slug(reply)) == (409, "out-of-stock")
    assert await shop.left("tea") == 9
    assert await shop.shown(view["id"]) == view


async def test_less_than_was_sent_cannot_be_left_on_an_order(shop: Shop) -> None:
    view = await shop.paid(tea=3, pot=1)
    await shop.ship(view, tea=2)
    reply = await shop.edit(await shop.shown(view["id"]), lines=[{"sku": "tea", "quantity": 1}])
    assert (reply.status, await slug(reply)) == (409, "quantity-refused")


async def test_a_line_keeps_its_price_and_more_of_it_is_refused_once_that_changed(shop: Shop) -> None:
    view = await shop.placed(tea=2)
    dearer = {"name": "Dear", "price": {"amount": 9900, "currency": "EUR"}, "stock": 5, "active": False}
    await shop.call("PUT", "/products/tea", dearer, role="staff")
    assert (await shop.edited(view, tea=1))["total"]["amount"] == 1999
    reply = await shop.edit(await shop.shown(view["id"]), lines=[{"sku": "tea", "quantity": 2}])
    assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "#/lines/0/sku")
    await shop.call("PUT", "/products/tea", dearer | {"active": True}, role="staff")
    reply = await shop.edit(await shop.shown(view["id"]), lines=[{"sku": "tea", "quantity": 2}])
    assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "#/lines/0/quantity")


async def test_what_is_cancelled_or_anothers_is_not_edited(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    assert (await shop.edit(view, who=BERT, note="x")).status == 404
    await shop.cancel(view)
    reply = await shop.edit(await shop.shown(view["id"]), note="x")
    assert (reply.status, await slug(reply)) == (409, "illegal-transition")
    assert "place a new order" in reply.json()["detail"]


async def test_the_document_before_goes_once_nobody_reads_it_any_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await shop.placed(tea=1)
    changed = (await shop.edit(view, note="x")).json()
    assert len(shop.papers.kept) == 2
    impatient = shop.chassis.settings.model_copy(update={"orphan_after": shop.chassis.settings.pace * 0})
    monkeypatch.setattr(shop.chassis, "settings", impatient)
    await shop.tick()
    assert len(shop.papers.kept) == 1
    assert await shop.shown(view["id"]) == changed


class TestCrowds:
    @pytest.fixture
    def pool(self) -> int:
        return 8

    async def test_of_edits_of_one_state_one_counts_and_its_document_is_the_orders(self, shop: Shop) -> None:
        view = await shop.placed(tea=1)
        replies = await asyncio.gather(*(shop.edit(view, note=f"note {n}") for n in range(6)))
        assert sorted(reply.status for reply in replies) == [200] + [412] * 5
        (winner,) = [reply.json() for reply in replies if reply.status == 200]
        assert await shop.shown(view["id"]) == winner

    async def test_edits_and_purchases_at_once_keep_the_count(self, shop: Shop) -> None:
        views = [await shop.placed(tea=1, pot=1) for _ in range(4)]
        more = [{"sku": "pot", "quantity": 2}, {"sku": "tea", "quantity": 2}]
        edits = [shop.edit(view, lines=more) for view in views]
        replies = await asyncio.gather(*edits, *(shop.place(pot=1, tea=1) for _ in range(6)))
        assert {reply.status for reply in replies} <= {200, 201, 409}
        taken = 4 + sum(reply.status in {200, 201} for reply in replies)
        assert await shop.left("tea") == await shop.left("pot") == 10 - taken
