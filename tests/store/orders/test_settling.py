import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.store.orders.shop import BERT, Shop, capture, decline, failure, refund


async def trail(shop: Shop, view: dict[str, Any]) -> list[tuple[str | None, str, str, str]]:
    reply = await shop.call("GET", f"/orders/{view['id']}/timeline")
    return [(item["from"], item["to"], item["payment_status"], item["trigger"]) for item in reply.json()["items"]]


async def test_a_batch_of_captures_makes_each_order_paid_and_tells_its_lines(shop: Shop) -> None:
    views = [await shop.placed(tea=1, leaflet=n) for n in (1, 2, 3)]
    await shop.deliver(*((view["id"], capture(view)) for view in views), topic="payment-captured")
    told = {fact["order_id"]: fact for fact in await shop.told("order-paid")}
    for view in views:
        shown = await shop.shown(view["id"])
        assert (shown["status"], shown["payment_status"], shown["allowed_transitions"]) == (
            "paid", "captured", ["cancelled", "partly_shipped", "shipped"],
        )  # fmt: skip
        assert told[view["id"]]["total"] == view["total"]
        assert told[view["id"]]["sequence"] == 2
        assert [line["quantity"] for line in told[view["id"]]["lines"]] == [1, view["lines"][1]["quantity"]]


async def test_the_same_capture_twice_is_settled_and_told_once(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    for event_id in ("e1", "e1", "e2"):
        await shop.capture(view, event_id)
    assert len(await shop.told("order-paid")) == 1
    assert (await shop.shown(view["id"]))["revision"] == 2


async def test_two_facts_of_one_order_in_one_batch_both_count(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.deliver(("1", refund(view, 500)), ("2", refund(view, 1999)), topic="payment-refunded")
    shown = await shop.shown(view["id"])
    assert (shown["payment_status"], shown["refunded"]["amount"], shown["revision"]) == ("refunded", 1999, 3)


async def test_a_decline_leaves_the_order_placed_and_a_later_capture_pays_it(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.deliver(("1", decline(view)), topic="payment-declined")
    shown = await shop.shown(view["id"])
    assert (shown["status"], shown["payment_status"]) == ("placed", "declined")
    await shop.capture(view)
    assert await trail(shop, view) == [
        (None, "placed", "pending", "order_placed"),
        ("placed", "placed", "declined", "payment_declined"),
        ("placed", "paid", "captured", "payment_captured"),
    ]


async def test_a_decline_that_comes_after_the_capture_says_nothing_new(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.capture(view)
    await shop.deliver(("1", decline(view)), topic="payment-declined")
    assert (await shop.shown(view["id"]))["payment_status"] == "captured"
    assert len(await trail(shop, view)) == 2


async def test_a_refund_that_overtakes_its_capture_loses_neither(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.deliver(("1", refund(view, 500)), topic="payment-refunded")
    await shop.capture(view)
    shown = await shop.shown(view["id"])
    assert (shown["status"], shown["payment_status"], shown["refunded"]["amount"]) == ("paid", "partly_refunded", 500)
    assert len(await shop.told("order-paid")) == 1


async def test_a_smaller_sum_that_arrives_later_does_not_lower_what_went_back(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.capture(view)
    for event_id, sum_so_far in (("2", 900), ("1", 400)):
        await shop.deliver((event_id, refund(view, sum_so_far)), topic="payment-refunded")
    assert (await shop.shown(view["id"]))["refunded"]["amount"] == 900


async def test_a_refund_that_failed_is_noted_for_people(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.capture(view)
    await shop.deliver(("1", failure(view)), topic="refund-failed")
    assert (await trail(shop, view))[-1] == ("paid", "paid", "captured", "refund_failed")


async def test_a_failed_refund_that_overtakes_the_capture_of_a_cancelled_order_is_noted(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.call("POST", f"/orders/{view['id']}/cancel", key="c")
    await shop.deliver(("1", failure(view)), topic="refund-failed")
    await shop.capture(view)
    assert (await trail(shop, view))[-2:] == [
        ("cancelled", "cancelled", "pending", "refund_failed"),
        ("cancelled", "cancelled", "captured", "payment_captured"),
    ]


@pytest.mark.parametrize("foreign", [{"order_id": str(uuid4())}, {"amount": {"amount": 1999, "currency": "USD"}}])
async def test_a_capture_that_fits_no_order_is_kept_for_people_and_spares_its_neighbours(
    shop: Shop, foreign: dict[str, Any]
) -> None:
    good, bad = await shop.placed(tea=1), await shop.placed(tea=1)
    await shop.deliver(("bad", capture(bad) | foreign), ("good", capture(good)), topic="payment-captured")
    assert [(await shop.shown(view["id"]))["status"] for view in (good, bad)] == ["paid", "placed"]
    assert await shop.count("dead_letters") == 1


async def test_cancelling_a_placed_order_puts_its_articles_back_and_tells_once(shop: Shop) -> None:
    view = await shop.placed(tea=3, leaflet=1)
    replies = [
        await shop.call("POST", f"/orders/{view['id']}/cancel", {"reason": "too late"}, key="c") for _ in range(2)
    ]
    assert [reply.status for reply in replies] == [202, 202]
    assert replies[0].body == replies[1].body
    assert (replies[0].json()["status"], replies[0].headers["etag"]) == ("cancelled", '"2"')
    assert replies[0].json() == await shop.shown(view["id"])
    (told,) = await shop.told("order-cancelled")
    assert (told["order_id"], told["sequence"], told["reason"]) == (view["id"], 2, "too late")
    assert await shop.left("tea") == 10


async def test_a_paid_order_can_be_cancelled_and_shows_the_refund(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.capture(view)
    assert (await shop.call("POST", f"/orders/{view['id']}/cancel", key="c")).status == 202
    await shop.deliver(("r", refund(view, 1999)), topic="payment-refunded")
    assert (await trail(shop, view))[-2:] == [
        ("paid", "cancelled", "captured", "customer_cancelled"),
        ("cancelled", "cancelled", "refunded", "payment_refunded"),
    ]


async def test_a_capture_after_the_cancelling_is_shown_and_does_not_revive_the_order(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.call("POST", f"/orders/{view['id']}/cancel", key="c")
    await shop.capture(view)
    shown = await shop.shown(view["id"])
    assert (shown["status"], shown["payment_status"]) == ("cancelled", "captured")
    assert await shop.told("order-paid") == []


async def test_a_refund_that_overtakes_the_capture_of_a_former_price_is_a_full_one_once_that_comes(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.edited(view, tea=2)
    await shop.cancel(view)
    await shop.deliver(("r", refund(view, 1999)), topic="payment-refunded")
    await shop.capture(view)
    assert (await shop.shown(view["id"]))["payment_status"] == "refunded"


async def test_the_timeline_names_the_event_that_moved_the_order(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.deliver(("the-events-id", capture(view)), topic="payment-captured")
    timeline = (await shop.call("GET", f"/orders/{view['id']}/timeline")).json()["items"]
    assert (timeline[-1]["actor"], timeline[-1]["cause"]) == ("service:payments", "event:the-events-id")


async def test_what_is_cancelled_is_not_cancelled_again_under_another_key(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    replies = [await shop.call("POST", f"/orders/{view['id']}/cancel", key=key) for key in "ab"]
    assert [reply.status for reply in replies] == [202, 409]
    assert replies[1].json()["type"] == "/problems/illegal-transition"
    assert await shop.left("tea") == 10


async def test_another_customers_order_cannot_be_cancelled_nor_known(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    assert (await shop.call("POST", f"/orders/{view['id']}/cancel", who=BERT, key="c")).status == 404
    reply = await shop.call("POST", f"/orders/{view['id']}/cancel", who=BERT, role="support", key="d")
    assert reply.status == 202
    timeline = (await shop.call("GET", f"/orders/{view['id']}/timeline")).json()["items"]
    assert (timeline[-1]["trigger"], timeline[-1]["actor"]) == ("support_cancelled", f"support:{BERT}")
    assert UUID(hex=timeline[-1]["cause"])


class TestCrowds:
    @pytest.fixture
    def pool(self) -> int:
        return 8

    async def test_batches_with_the_same_orders_in_opposite_order_do_not_deadlock(self, shop: Shop) -> None:
        views = [await shop.placed(leaflet=1) for _ in range(6)]
        batches = [
            [(f"{n}-{view['id']}", capture(view)) for view in (views if n % 2 else views[::-1])] for n in range(8)
        ]
        await asyncio.gather(*(shop.deliver(*batch, topic="payment-captured") for batch in batches))
        assert len(await shop.told("order-paid")) == 6
        assert await shop.count("dead_letters") == 0
