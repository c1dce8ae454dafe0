import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.store.orders.shop import Shop, authorise, capture, decline, refund


def standing(view: dict[str, Any]) -> tuple[str, str, str]:
    return view["status"], view["payment_status"], view["fulfilment_status"]


async def test_an_order_is_sent_in_parcels_arrives_and_says_so_at_each_step(shop: Shop) -> None:
    view = await shop.paid(tea=2, pot=1)
    first = await shop.ship(view, tea=1)
    assert first.status == 201, first.body
    assert standing(first.json()) == ("partly_shipped", "captured", "partly_shipped")
    assert [(line["sku"], line["shipped"]) for line in first.json()["lines"]] == [("tea", 1), ("pot", 0)]
    second = (await shop.ship(view)).json()
    assert standing(second) == ("shipped", "captured", "shipped")
    assert [parcel["lines"] for parcel in second["shipments"]] == [
        [{"sku": "tea", "quantity": 1}],
        [{"sku": "tea", "quantity": 1}, {"sku": "pot", "quantity": 1}],
    ]
    one, other = [parcel["id"] for parcel in second["shipments"]]
    assert standing((await shop.deliver_parcel(view, one)).json())[0] == "partly_delivered"
    assert standing((await shop.deliver_parcel(view, other)).json()) == ("delivered", "captured", "delivered")
    shipped, delivered = await shop.told("order-shipped"), await shop.told("order-delivered")
    assert [(fact["complete"], fact["shipment_id"]) for fact in shipped] == [(False, one), (True, other)]
    assert [(fact["complete"], fact["shipment_id"]) for fact in delivered] == [(False, one), (True, other)]
    assert await shop.shown(view["id"]) == (await shop.deliver_parcel(view, other)).json()
    assert len(await shop.told("order-delivered")) == 2


async def test_the_same_parcel_is_sent_once_for_one_key(shop: Shop) -> None:
    view = await shop.paid(tea=2)
    replies = [await shop.ship(view, key="k", tea=1) for _ in range(2)]
    assert replies[0].body == replies[1].body
    assert len(await shop.told("order-shipped")) == 1
    assert (await shop.shown(view["id"]))["lines"][0]["shipped"] == 1


@pytest.mark.parametrize("quantities", [{"tea": 3}, {"pot": 1}, {"tea": 1, "leaflet": 1}])
async def test_no_more_is_sent_than_was_ordered(shop: Shop, quantities: dict[str, int]) -> None:
    view = await shop.paid(tea=2)
    reply = await shop.ship(view, basket=quantities)
    assert (reply.status, reply.json()["type"]) == (409, "/problems/quantity-refused")
    assert await shop.shown(view["id"]) == view


async def test_what_is_not_paid_stays_in_the_house_and_the_refusal_says_why(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    assert "not complete" in (await shop.ship(view)).json()["detail"]
    await shop.deliver(("1", decline(view)), topic="payment-declined")
    reply = await shop.ship(view)
    assert (reply.status, reply.json()["type"]) == (409, "/problems/illegal-transition")
    assert "pay again" in reply.json()["detail"]


async def test_what_is_authorised_is_sent_and_is_paid_when_it_is_captured(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.deliver(("a", authorise(view)), topic="payment-authorised")
    assert standing((await shop.ship(view)).json()) == ("shipped", "authorised", "shipped")
    assert await shop.told("order-paid") == []
    await shop.capture(view)
    assert standing(await shop.shown(view["id"])) == ("shipped", "captured", "shipped")
    assert len(await shop.told("order-paid")) == 1


async def test_what_is_authorised_in_part_is_not_sent(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.deliver(("a", authorise(view, 1998)), topic="payment-authorised")
    assert (await shop.ship(view)).status == 409


async def test_what_comes_back_is_refunded_to_the_cent_and_does_not_go_on_sale(shop: Shop) -> None:
    view = await shop.paid(tea=3, pot=1)
    await shop.ship(view)
    part = await shop.take_back(view, tea=2)
    assert (part.status, part.json()["status"]) == (201, "partly_returned")
    (told,) = await shop.told("order-returned")
    assert (told["refund"], told["complete"]) == ({"amount": 2 * 1999, "currency": "EUR"}, False)
    assert part.json()["returns"][0]["refund"] == told["refund"]
    rest = await shop.take_back(view, tea=1, pot=1)
    assert standing(rest.json()) == ("returned", "captured", "returned")
    assert sum(fact["refund"]["amount"] for fact in await shop.told("order-returned")) == view["total"]["amount"]
    assert [await shop.left("tea"), await shop.left("pot")] == [7, 9]
    await shop.deliver(("r", refund(view, 4 * 1999)), topic="payment-refunded")
    assert (await shop.shown(view["id"]))["payment_status"] == "refunded"


async def test_the_same_return_is_refunded_once_and_never_more_than_was_sent(shop: Shop) -> None:
    view = await shop.paid(tea=2)
    await shop.ship(view)
    replies = [await shop.take_back(view, key="k", tea=1) for _ in range(2)]
    assert replies[0].body == replies[1].body
    assert len(await shop.told("order-returned")) == 1
    assert (await shop.take_back(view, tea=2)).json()["type"] == "/problems/quantity-refused"


async def test_nothing_comes_back_that_was_not_sent(shop: Shop) -> None:
    view = await shop.paid(tea=2)
    assert (await shop.take_back(view, tea=1)).status == 409
    await shop.ship(view, tea=1)
    assert "send the rest" in (await shop.take_back(view, tea=1)).json()["detail"]


async def test_what_was_sent_in_part_is_not_cancelled_but_the_rest_can_be_taken_off(shop: Shop) -> None:
    view = await shop.paid(tea=3)
    await shop.ship(view, tea=1)
    refused = await shop.cancel(view)
    assert (refused.status, "with PATCH" in refused.json()["detail"]) == (409, True)
    changed = await shop.edited(view, tea=1)
    assert standing(changed) == ("shipped", "captured", "shipped")
    assert changed["total"]["amount"] == 1999
    assert await shop.left("tea") == 9
    parcel = changed["shipments"][0]["id"]
    assert standing((await shop.deliver_parcel(view, parcel)).json())[0] == "delivered"


async def test_taking_the_rest_off_after_the_parcel_arrived_delivers_the_order(shop: Shop) -> None:
    view = await shop.paid(tea=3)
    parcel = (await shop.ship(view, tea=1)).json()["shipments"][0]["id"]
    await shop.deliver_parcel(view, parcel)
    assert standing(await shop.edited(view, tea=1)) == ("delivered", "captured", "delivered")


async def test_a_parcel_of_another_order_is_not_delivered(shop: Shop) -> None:
    mine, other = await shop.paid(tea=1), await shop.paid(tea=1)
    parcel = (await shop.ship(mine)).json()["shipments"][0]["id"]
    assert (await shop.deliver_parcel(other, parcel)).status == 404
    assert (await shop.deliver_parcel({"id": str(uuid4())}, parcel)).status == 404


async def test_customers_neither_send_nor_take_back(shop: Shop) -> None:
    view = await shop.paid(tea=1)
    for path in ("shipments", "returns"):
        assert (await shop.call("POST", f"/orders/{view['id']}/{path}", {}, key="k")).status in {403, 422}
    assert (await shop.call("POST", f"/orders/{view['id']}/shipments/{uuid4()}/delivered")).status == 403


class TestCrowds:
    @pytest.fixture
    def pool(self) -> int:
        return 8

    async def test_cancelling_and_sending_at_once_end_in_one_of_the_two(self, shop: Shop) -> None:
        for _ in range(5):
            view = await shop.paid(tea=1)
            replies = await asyncio.gather(shop.cancel(view), shop.ship(view))
            status = (await shop.shown(view["id"]))["status"]
            assert sorted(reply.status for reply in replies) in ([201, 409], [202, 409])
            assert status == ("shipped" if replies[1].status == 201 else "cancelled")
        sent = len(await shop.told("order-shipped"))
        assert await shop.left("tea") == 10 - sent

    async def test_clerks_who_send_the_same_pieces_at_once_send_them_once(self, shop: Shop) -> None:
        view = await shop.paid(tea=3)
        replies = await asyncio.gather(*(shop.ship(view, tea=2) for _ in range(4)))
        assert sorted(reply.status for reply in replies) == [201, 409, 409, 409]
        await shop.ship(view)
        backs = await asyncio.gather(*(shop.take_back(view, tea=2) for _ in range(4)))
        assert sorted(reply.status for reply in backs) == [201, 409, 409, 409]

    async def test_a_capture_and_a_cancel_at_once_lose_neither(self, shop: Shop) -> None:
        view = await shop.placed(tea=1)
        await asyncio.gather(shop.cancel(view), shop.deliver(("c", capture(view)), topic="payment-captured"))
        shown = await shop.shown(view["id"])
        assert (shown["status"], shown["payment_status"]) == ("cancelled", "captured")
        assert len(await shop.told("order-cancelled")) == 1
