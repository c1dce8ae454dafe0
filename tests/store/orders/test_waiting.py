from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from apps.chassis.sidecar import Answer
from tests.store.orders.shop import Shop
from tests.support.asgi import call


def known(status: str, captured: int = 0) -> Answer:
    body = {
        "payment_id": str(UUID(int=9)), "sequence": 2, "status": status, "decline_code": "expired_card",
        "advice": None, "captured": {"amount": captured, "currency": "EUR"},
    }  # fmt: skip
    return Answer(200, orjson.dumps(body))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_ASK_AFTER", "PT0S")


async def tick(shop: Shop) -> None:
    assert (await call(shop.app, "POST", "/jobs/every-10s")).status == 200


async def standing(shop: Shop, view: dict[str, Any]) -> tuple[str, str]:
    shown = await shop.shown(view["id"])
    return shown["status"], shown["payment_status"]


async def test_an_order_whose_capture_was_lost_is_paid_by_asking_and_tells_so_once(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    shop.papers.payments[view["id"]] = known("succeeded", 1999)
    await tick(shop)
    await tick(shop)
    assert await standing(shop, view) == ("paid", "captured")
    await shop.capture(view)
    assert len(await shop.told("order-paid")) == 1


async def test_an_order_whose_decline_was_lost_is_declined_by_asking(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    shop.papers.payments[view["id"]] = known("requires_payment_method")
    await tick(shop)
    assert await standing(shop, view) == ("placed", "declined")


async def test_an_order_that_payments_never_heard_of_is_told_again_word_for_word(shop: Shop) -> None:
    await shop.placed(tea=1)
    await tick(shop)
    first, again = await shop.told("order-placed")
    assert first == again


async def test_a_payment_that_is_still_under_way_is_left_alone(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    shop.papers.payments[view["id"]] = known("unknown")
    await tick(shop)
    assert await standing(shop, view) == ("placed", "pending")
    assert len(await shop.told("order-placed")) == 1


async def test_an_order_is_asked_about_at_most_once_in_each_span(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    view = await shop.placed(tea=1)
    await tick(shop)
    patient = shop.chassis.settings.model_copy(update={"ask_after": timedelta(hours=1)})
    monkeypatch.setattr(shop.chassis, "settings", patient)
    async with shop.database.transaction() as tx:
        # an hour and more ago by its id, asked about just now
        await tx.execute(text("UPDATE orders SET asked_at = now() WHERE id = :id"), {"id": view["id"]})
    await tick(shop)
    assert len(await shop.told("order-placed")) == 2


async def test_the_clock_does_not_fail_when_payments_is_away(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    shop.papers.away = True
    await tick(shop)
    shop.papers.away = False
    assert await standing(shop, view) == ("placed", "pending")
