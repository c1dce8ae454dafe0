import asyncio
from datetime import timedelta
from typing import Any

import pytest

from apps.orders import leaving
from tests.store.orders.shop import Shop, authorise, capture, decline, refund
from tests.support.asgi import call


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_EXPIRE_AFTER", "PT0S")
    monkeypatch.setenv("ORDERS_ASK_AFTER", "PT1H")


async def standing(shop: Shop, view: dict[str, Any]) -> tuple[str, str]:
    shown = await shop.shown(view["id"])
    return shown["status"], shown["payment_status"]


async def expire(shop: Shop) -> None:
    await asyncio.sleep(0.002)  # ids tell times to the millisecond
    await shop.tick()


async def test_what_nobody_pays_expires_once_tells_so_and_is_on_sale_again(shop: Shop) -> None:
    views = [await shop.placed(tea=2, leaflet=1), await shop.placed(tea=1, pot=1)]
    await shop.deliver(("d", decline(views[1])), topic="payment-declined")
    await expire(shop)
    await shop.tick()
    assert [await standing(shop, view) for view in views] == [("expired", "pending"), ("expired", "declined")]
    assert [await shop.left("tea"), await shop.left("pot")] == [10, 10]
    told = await shop.told("order-expired")
    assert sorted(fact["order_id"] for fact in told) == sorted(view["id"] for view in views)
    assert [fact["sequence"] for fact in told] == [2, 3]
    trail = (await shop.call("GET", f"/orders/{views[0]['id']}/timeline")).json()["items"]
    assert (trail[-1]["trigger"], trail[-1]["actor"]) == ("deadline_passed", "service:orders")


async def test_what_is_paid_or_held_does_not_expire(shop: Shop) -> None:
    paid, held = await shop.paid(tea=1), await shop.placed(tea=1)
    await shop.deliver(("a", authorise(held)), topic="payment-authorised")
    await expire(shop)
    assert [await standing(shop, view) for view in (paid, held)] == [("paid", "captured"), ("placed", "authorised")]


async def test_an_order_has_until_its_deadline(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    view = await shop.placed(tea=1)
    patient = shop.chassis.settings.model_copy(update={"expire_after": timedelta(hours=1)})
    monkeypatch.setattr(shop.chassis, "settings", patient)
    await expire(shop)
    assert await standing(shop, view) == ("placed", "pending")


async def test_a_capture_that_comes_too_late_does_not_revive_the_order_and_goes_back(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await expire(shop)
    await shop.capture(view)
    assert await standing(shop, view) == ("expired", "captured")
    assert await shop.told("order-paid") == []
    await shop.deliver(("r", refund(view, 1999)), topic="payment-refunded")
    assert await standing(shop, view) == ("expired", "refunded")
    assert await shop.left("tea") == 10


async def test_payments_is_told_that_nothing_is_owed_for_what_was_called_off(shop: Shop) -> None:
    expired, cancelled = await shop.placed(tea=1), await shop.placed(tea=1)
    await shop.cancel(cancelled)
    await expire(shop)
    for view, status in ((expired, "expired"), (cancelled, "cancelled")):
        path = f"/internal/orders/amount?order_id={view['id']}"
        reply = await call(shop.app, "GET", path, headers={"dapr-caller-app-id": "payments"})
        assert (reply.status, reply.json()["type"]) == (409, "/problems/nothing-owed")
        assert status in reply.json()["detail"]


async def test_what_has_expired_is_neither_cancelled_nor_sent(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await expire(shop)
    for reply in (await shop.cancel(view), await shop.ship(view)):
        assert (reply.status, "on sale again" in reply.json()["detail"]) == (409, True)


class TestCrowds:
    @pytest.fixture
    def pool(self) -> int:
        return 8

    async def test_replicas_that_expire_at_once_free_the_stock_once(self, shop: Shop) -> None:
        for _ in range(6):
            await shop.placed(tea=1)
        await asyncio.sleep(0.002)
        counts = await asyncio.gather(*(leaving.expire_unpaid(shop.chassis) for _ in range(4)))
        assert sum(counts) == len(await shop.told("order-expired")) == 6
        assert await shop.left("tea") == 10

    async def test_expiry_cancel_and_capture_at_once_end_in_one_outcome(self, shop: Shop) -> None:
        for _ in range(6):
            view = await shop.placed(tea=1)
            await asyncio.sleep(0.002)
            await asyncio.gather(
                leaving.expire_unpaid(shop.chassis),
                shop.cancel(view),
                shop.deliver((view["id"], capture(view)), topic="payment-captured"),
            )
            assert await standing(shop, view) in {("expired", "captured"), ("cancelled", "captured")}
        ends = [len(await shop.told(topic)) for topic in ("order-expired", "order-cancelled")]
        assert sum(ends) == 6
        assert await shop.left("tea") == 10
