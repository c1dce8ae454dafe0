import asyncio

import pytest

from apps.payments.domain import RefundState, State
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AMOUNT, cancelled, placed
from tests.store.payments.till import make_worker
from tests.support.asgi import call


def given(desk: Desk) -> int:
    return sum(refund.amount for refund in desk.till.given.values())


async def test_a_captured_payment_is_refunded_once(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    await desk.settled(order)
    await desk.cancel(cancelled(order), cancelled(order))
    await asyncio.gather(desk.cancel(cancelled(order)), desk.cancel(cancelled(order)))
    (payment,) = await desk.settled(order)
    assert (payment.refunded, given(desk)) == (AMOUNT, AMOUNT)
    facts = await desk.told()
    assert [topic for topic, _ in facts] == ["payment-captured", "payment-refunded"]
    assert facts[1][1]["refunded"]["amount"] == AMOUNT


async def test_an_order_cancelled_before_it_is_heard_of_is_never_charged(desk: Desk) -> None:
    order = placed()
    await desk.cancel(cancelled(order))
    await desk.place(order)
    (payment,) = await desk.settled(order)
    assert (payment.state, desk.till.calls) == (State.CANCELED, [])


async def test_placed_and_cancelled_at_the_same_time_ends_without_money(desk: Desk) -> None:
    orders = [placed() for _ in range(20)]
    async with desk.working():
        await asyncio.gather(
            *(desk.place(*orders[at : at + 5]) for at in range(0, 20, 5)),
            *(desk.cancel(*(cancelled(order) for order in orders[at : at + 7])) for at in range(0, 20, 7)),
        )
    await desk.settled(*orders)
    taken = sum(charge.amount for charge in desk.till.taken.values())
    assert taken == given(desk)


async def test_an_order_cancelled_before_its_charge_is_not_charged(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    await desk.cancel(cancelled(order))
    (payment,) = await desk.settled(order)
    assert (payment.state, desk.till.calls, await desk.told()) == (State.CANCELED, [], [])


async def test_a_capture_that_arrives_after_the_cancel_is_refunded_once(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    desk.till.gate.clear()
    async with desk.working():
        await desk.until(lambda: _called(desk))
        await desk.cancel(cancelled(order))
        assert (await desk.payment(order.order_id)).state is State.PROCESSING
        # the call under way is not taken from the worker that made it
        assert await desk.sql("SELECT lease IS NOT NULL FROM payments") == [(True,)]
        desk.till.gate.set()
        await desk.until(lambda: _told(desk, 2))
    assert [topic for topic, _ in await desk.told()] == ["payment-captured", "payment-refunded"]
    assert (len(desk.till.taken), len(desk.till.given), given(desk)) == (1, 1, AMOUNT)


async def test_a_cancelled_payment_with_a_lost_answer_is_looked_up_and_not_charged_again(desk: Desk) -> None:
    order = placed()
    desk.till.lose_answers = 1
    await desk.place(order)
    worker = make_worker(desk.database, desk.till)
    await worker.round()
    await desk.until(lambda: _called(desk))
    await worker.round()
    await desk.cancel(cancelled(order))
    await desk.settled(order)
    assert (len(desk.till.taken), given(desk)) == (1, AMOUNT)
    assert len([each for each in desk.till.calls if "charge" in each]) == 1


async def test_a_lost_refund_answer_gives_the_money_back_once(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    await desk.settled(order)
    desk.till.lose_answers = 2
    await desk.cancel(cancelled(order))
    (payment,) = await desk.settled(order)
    assert (payment.refunded, given(desk), len(desk.till.given)) == (AMOUNT, AMOUNT, 1)


async def test_support_refunds_parts_and_never_more_than_was_captured(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    (payment,) = await desk.settled(order)
    path = f"/payments/{payment.id}/refunds"
    assert (await desk.call("POST", path, {"amount": 1})).status == 403
    part = await desk.call("POST", path, {"amount": {"amount": 200_000_000, "currency": "EUR"}}, role="support")
    assert part.status == 202
    replies = await asyncio.gather(
        *(desk.call("POST", path, {"amount": 300_000_000, "reason": "late"}, role="support") for _ in range(4))
    )
    assert sorted(reply.status for reply in replies) == [202, 409, 409, 409]
    assert (await desk.call("POST", path, {"amount": {"amount": 1, "currency": "USD"}}, role="support")).status == 409
    assert (await desk.call("POST", path, {"reason": "4242 4242 4242 4242"}, role="support")).status == 422
    (payment,) = await desk.settled(order)
    assert (payment.refunded, given(desk)) == (500_000_000, 500_000_000)
    assert [fact["sequence"] for _, fact in await desk.told()] == [1, 2, 3]


async def test_a_refund_that_fails_is_told(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    await desk.settled(order)
    desk.till.refund_state = RefundState.FAILED
    await desk.cancel(cancelled(order))
    (payment,) = await desk.settled(order)
    assert (payment.refunded, payment.refunds[0].state) == (0, RefundState.FAILED)
    assert [topic for topic, _ in await desk.told()] == ["payment-captured", "refund-failed"]


async def test_a_webhook_makes_the_worker_ask_and_is_kept_once(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    await desk.settled(order)
    await desk.cancel(cancelled(order))
    (payment,) = await desk.settled(order)
    desk.till.refund_state = RefundState.FAILED
    body = f'{{"id": "evt_1", "payment": "{payment.id}"}}'.encode()
    assert (await _hear(desk, body, "bad")) == 400
    assert [await _hear(desk, body, "good"), await _hear(desk, body, "good")] == [200, 200]
    async with desk.working():
        await desk.until(lambda: _told(desk, 3))
    assert (await desk.told())[-1][0] == "refund-failed"
    assert len(await desk.sql("SELECT 1 FROM notices")) == 1


async def _hear(desk: Desk, body: bytes, signature: str) -> int:
    return (await call(desk.app, "POST", "/webhooks/stripe", body, {"signature": signature})).status


async def _called(desk: Desk) -> bool:
    return bool(desk.till.calls)


async def _told(desk: Desk, count: int) -> bool:
    return len(await desk.told()) == count


@pytest.mark.parametrize("role", ["customer", "support"])
async def test_a_payment_is_shown_to_its_owner_and_support_alone(desk: Desk, role: str) -> None:
    order = placed()
    await desk.place(order)
    (payment,) = await desk.settled(order)
    who = order.customer_id if role == "customer" else None
    shown = (await desk.call("GET", f"/payments/{payment.id}", who=who, role=role)).json()
    listed = (await desk.call("GET", f"/payments?order_id={order.order_id}", who=who, role=role)).json()
    assert listed == {"items": [shown], "next": None}
    assert shown["attempts"][0]["method"] == {"brand": "mastercard", "last4": "4444"}
    assert (await desk.call("GET", f"/payments/{payment.id}")).status == 404
    assert (await desk.call("GET", f"/payments?order_id={order.order_id}")).json()["items"] == []
