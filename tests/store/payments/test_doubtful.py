"""Answers that leave open whether money was taken: it is never taken twice, and never kept for a cancelled order."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from apps.payments import steps, working
from apps.payments.domain import State
from apps.payments.worker import Worker
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AMOUNT, cancelled, placed
from tests.store.payments.till import make_worker
from tests.support.asgi import call


async def _one_try(desk: Desk, worker: Worker) -> None:
    """Have whatever is due called for, and the outcome recorded."""
    asked, called = desk.till.asked, len(desk.till.calls)
    await desk.until(lambda: _is_due(desk))
    await worker.round()
    await desk.until(lambda: _heard(desk, asked + called))
    # room for nobody: what is due again is left to the test
    worker._concurrency = 0
    await worker.round()
    worker._concurrency = 8


async def _is_due(desk: Desk) -> bool:
    return bool(await desk.sql("SELECT 1 FROM payments WHERE due_at <= now()"))


async def _heard(desk: Desk, before: int) -> bool:
    return desk.till.asked + len(desk.till.calls) > before


async def _state(desk: Desk, order_id: UUID, state: State) -> bool:
    return (await desk.payment(order_id)).state is state


def _later(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    monkeypatch.setattr(working, "_now", lambda: datetime.now(UTC) + by)


async def _webhook(desk: Desk, payment_id: UUID) -> None:
    body = {"id": "evt_1", "payment": str(payment_id)}
    reply = await call(desk.app, "POST", "/webhooks/stripe", body, {"signature": "good"})
    assert reply.status < 300, orjson.dumps(body)


async def test_money_taken_before_a_busy_answer_goes_back_once_when_the_order_is_cancelled(desk: Desk) -> None:
    order = placed()
    desk.till.busy_once_taken = 1
    await desk.place(order)
    await _one_try(desk, make_worker(desk.database, desk.till))
    await desk.cancel(cancelled(order))
    (payment,) = await desk.settled(order)
    assert (len(desk.till.taken), [each.amount for each in desk.till.given.values()]) == (1, [AMOUNT])
    assert (payment.refunded, len([each for each in desk.till.calls if "charge" in each])) == (AMOUNT, 1)


async def test_lost_then_busy_is_asked_after_a_day_and_not_charged_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = placed()
    desk.till.lose_answers = desk.till.busy_once_taken = 1
    await desk.place(order)
    worker = make_worker(desk.database, desk.till)
    await _one_try(desk, worker)
    await _one_try(desk, worker)
    assert (await desk.payment(order.order_id)).state is State.UNKNOWN
    called = len(desk.till.calls)
    _later(monkeypatch, timedelta(hours=30))
    (payment,) = await desk.settled(order)
    assert (payment.state, len(desk.till.calls), desk.till.asked) == (State.SUCCEEDED, called, 1)


async def test_an_error_that_the_processor_replays_costs_minutes_and_not_a_day(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = placed()
    await desk.place(order)
    first = (await desk.payment(order.order_id)).attempt.reference
    desk.till.replays_error = {first}
    worker = make_worker(desk.database, desk.till)
    for _ in range(6):
        await _one_try(desk, worker)
    _later(monkeypatch, timedelta(minutes=3))
    await _one_try(desk, worker)
    assert (desk.till.calls, desk.till.asked) == ([first] * 6, 1)
    _later(monkeypatch, timedelta(minutes=7))
    (payment,) = await desk.settled(order)
    assert (payment.state, payment.captured, len(desk.till.taken)) == (State.SUCCEEDED, AMOUNT, 1)
    assert list(Counter(desk.till.calls).values()) == [6, 1]


async def test_a_webhook_about_a_cancelled_payment_finds_money_that_came_after_all(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    await desk.cancel(cancelled(order))
    payment = await desk.payment(order.order_id)
    assert payment.state is State.CANCELED
    await desk.till.charge(steps.charge_of(payment, payment.attempt))
    desk.till.lose_finds = 1
    async with desk.working():
        await _webhook(desk, payment.id)
        await desk.until(lambda: _state(desk, order.order_id, State.SUCCEEDED))
    (payment,) = await desk.settled(order)
    assert (payment.refunded, len(desk.till.given)) == (AMOUNT, 1)


async def test_a_webhook_about_a_cancelled_payment_that_took_nothing_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_SEARCHES", 3)
    order = placed()
    await desk.place(order)
    await desk.cancel(cancelled(order))
    async with desk.working():
        await _webhook(desk, (await desk.payment(order.order_id)).id)
        await desk.until(lambda: _at_rest(desk))
    assert await _state(desk, order.order_id, State.CANCELED)
    assert (desk.till.asked, desk.till.calls) == (3, [])


async def _at_rest(desk: Desk) -> bool:
    return not await desk.sql("SELECT 1 FROM payments WHERE due_at IS NOT NULL")
