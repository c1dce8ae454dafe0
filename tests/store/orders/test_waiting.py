from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from apps.chassis.sidecar import Answer
from tests.store.orders.shop import Shop, decline
from tests.support.asgi import call


def known(status: str, captured: int = 0, currency: str = "EUR", **more: Any) -> Answer:
    body = more | {
        "payment_id": str(UUID(int=9)), "sequence": 2, "status": status, "decline_code": "expired_card",
        "advice": None, "captured": {"amount": captured, "currency": currency},
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
    shop.papers.payments[view["id"]] = known("processing")
    await tick(shop)
    assert await standing(shop, view) == ("placed", "pending")
    assert len(await shop.told("order-placed")) == 1


async def test_a_payment_whose_outcome_payments_itself_does_not_know_is_shown_as_unknown_and_asked_about_again(
    shop: Shop,
) -> None:
    view = await shop.placed(tea=1)
    shop.papers.payments[view["id"]] = known("unknown")
    await tick(shop)
    assert await standing(shop, view) == ("placed", "unknown")
    shop.papers.payments[view["id"]] = known("succeeded", 1999)
    await tick(shop)
    assert await standing(shop, view) == ("paid", "captured")


async def test_an_order_whose_money_is_held_learns_it_by_asking(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    shop.papers.payments[view["id"]] = known("requires_capture", amount=view["total"])
    await tick(shop)
    assert await standing(shop, view) == ("placed", "authorised")


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


async def test_an_order_that_cannot_be_asked_about_is_named_and_holds_up_none(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    views = [await shop.placed(tea=1) for _ in range(4)]
    broken: list[Answer] = [Answer(500, b""), Answer(200, b"no json"), known("succeeded", 1999, "USD")]
    for view, answer in zip(views, [*broken, known("succeeded", 1999)], strict=True):
        shop.papers.payments[view["id"]] = answer
    await tick(shop)
    told = capsys.readouterr().out
    assert [await standing(shop, view) for view in views] == [("placed", "pending")] * 3 + [("paid", "captured")]
    assert [view["id"] in told for view in views] == [True, True, True, False]


async def test_those_never_asked_about_come_before_those_that_were(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.chassis, "settings", shop.chassis.settings.model_copy(update={"ask_batch": 2}))
    views = [await shop.placed(tea=1) for _ in range(4)]
    for view in views[:2]:
        shop.papers.payments[view["id"]] = Answer(500, b"")
    for view in views[2:]:
        shop.papers.payments[view["id"]] = known("succeeded", 1999)
    await tick(shop)
    await tick(shop)
    assert [(await standing(shop, view))[0] for view in views] == ["placed", "placed", "paid", "paid"]


async def test_a_declined_order_whose_later_capture_was_lost_is_paid_by_asking(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.deliver(("1", decline(view)), topic="payment-declined")
    shop.papers.payments[view["id"]] = known("succeeded", 1999)
    await tick(shop)
    assert await standing(shop, view) == ("paid", "captured")


@pytest.mark.parametrize("answer", [known("requires_payment_method"), Answer(404, b"{}")])
async def test_a_declined_order_that_nobody_paid_again_is_left_as_it_is(shop: Shop, answer: Answer) -> None:
    view = await shop.placed(tea=1)
    await shop.deliver(("1", decline(view)), topic="payment-declined")
    shop.papers.payments[view["id"]] = answer
    before = await shop.shown(view["id"])
    await tick(shop)
    await tick(shop)
    assert await shop.shown(view["id"]) == before
    assert len(await shop.told("order-placed")) == 1


async def test_the_clock_does_not_fail_when_payments_is_away(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    shop.papers.away = True
    await tick(shop)
    shop.papers.away = False
    assert await standing(shop, view) == ("placed", "pending")
