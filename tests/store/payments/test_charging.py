import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from apps.contracts.orders import OrderPlaced
from apps.payments import terms
from apps.payments.domain import State
from apps.payments.terms import Terms
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AMOUNT, placed
from tests.store.payments.till import Till, make_worker


async def test_an_order_is_charged_once_and_told(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    (payment,) = await desk.settled(order)
    assert (payment.state, payment.captured) == (State.SUCCEEDED, AMOUNT)
    ((topic, fact),) = await desk.told()
    assert (topic, fact["amount"]["amount"], fact["sequence"]) == ("payment-captured", AMOUNT, 1)
    assert (fact["order_id"], fact["customer_id"]) == (str(order.order_id), str(order.customer_id))


async def test_the_same_order_told_again_is_claimed_once(desk: Desk) -> None:
    order = placed()
    await desk.place(order, placed(), order)
    await asyncio.gather(desk.place(order), desk.place(order))
    await desk.settled(order)
    assert Counter(desk.till.calls).most_common(1)[0][1] == 1
    assert len(desk.till.calls) == 2


async def test_two_workers_share_the_claims_and_charge_each_once(desk: Desk) -> None:
    orders = [placed() for _ in range(60)]
    await desk.place(*orders)
    other = Till()
    desk.till.gate.clear()
    other.gate.clear()
    async with desk.working(make_worker(desk.database, desk.till), make_worker(desk.database, other)):
        # both hold all they have room for before anybody is answered
        await desk.until(lambda: _both_full(desk.till, other))
        desk.till.gate.set()
        other.gate.set()
        await desk.until(lambda: _told(desk, 60))
    charged = desk.till.calls + other.calls
    assert len(charged) == len(set(charged)) == 60


async def _both_full(*tills: Till) -> bool:
    return all(len(till.calls) == 8 for till in tills)


async def _told(desk: Desk, count: int) -> bool:
    return len(await desk.told()) == count


async def test_a_call_that_hangs_holds_up_nobody_else(desk: Desk) -> None:
    orders = [placed() for _ in range(30)]
    desk.till.hang = {orders[0].order_id}
    await desk.place(*orders)
    async with desk.working():
        await desk.until(lambda: _told(desk, 29))
        assert (await desk.payment(orders[0].order_id)).state is State.PROCESSING


async def test_a_crash_between_call_and_record_charges_once(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    dying = make_worker(desk.database, desk.till, lease_s=0.3)
    await dying.round()
    await desk.until(lambda: _taken(desk))
    # nobody records what the first worker was answered: the lease runs out and another takes over
    (payment,) = await desk.settled(order)
    assert payment.state is State.SUCCEEDED
    assert len(desk.till.calls) == 2
    assert len(desk.till.taken) == 1
    # the first comes back to life and tells what it knows: old news
    await dying.round()
    assert [topic for topic, _ in await desk.told()] == ["payment-captured"]


async def _taken(desk: Desk) -> bool:
    return bool(desk.till.taken)


async def test_a_lost_answer_is_asked_for_again_under_the_same_reference(desk: Desk) -> None:
    order = placed()
    desk.till.lose_answers = 2
    await desk.place(order)
    async with desk.working():
        await desk.until(lambda: _is(desk, order.order_id, State.SUCCEEDED))
    assert len(desk.till.calls) == 3
    assert len(set(desk.till.calls)) == len(desk.till.taken) == 1


async def _is(desk: Desk, order_id: object, state: State) -> bool:
    return (await desk.payment(order_id)).state is state  # type: ignore[arg-type]


async def test_an_unknown_outcome_is_a_state_that_can_be_seen(desk: Desk) -> None:
    order = placed()
    desk.till.lose_answers = 1
    await desk.place(order)
    worker = make_worker(desk.database, desk.till)
    await worker.round()
    await desk.until(lambda: _taken(desk))
    await worker.round()
    assert (await desk.payment(order.order_id)).state is State.UNKNOWN


async def test_a_busy_processor_loses_nothing(desk: Desk) -> None:
    orders = [placed() for _ in range(5)]
    desk.till.busy = 7
    await desk.place(*orders)
    assert {payment.state for payment in await desk.settled(*orders)} == {State.SUCCEEDED}
    assert len(desk.till.taken) == 5


async def test_a_busy_processor_is_left_alone_as_a_whole_while_another_goes_on(desk: Desk) -> None:
    busy = Till(busy=1, busy_for=timedelta(hours=1))
    # of the worker's eight calls at once, the first is refused
    first, others, elsewhere = placed(), [placed() for _ in range(20)], [placed() for _ in range(20)]
    worker = make_worker(desk.database, busy, second=desk.till)
    async with desk.working(worker):
        await desk.place(first)
        await desk.until(lambda: _called(busy))
        await desk.place(*others)
        terms.use(lambda *_: Terms(provider="checkout-com"))
        try:
            await desk.place(*elsewhere)
        finally:
            terms.use(None)
        await desk.until(lambda: _all(desk, elsewhere, State.SUCCEEDED))
    assert await _all(desk, [first, *others], State.PROCESSING)
    assert (len(busy.calls), len(desk.till.taken)) == (1, 20)


async def _called(till: Till) -> bool:
    return bool(till.calls)


async def _all(desk: Desk, orders: Sequence[OrderPlaced], state: State) -> bool:
    return all([(await desk.payment(order.order_id)).state is state for order in orders])


async def test_a_decline_is_told_with_advice_and_another_method_can_be_tried(desk: Desk) -> None:
    order = placed(amount=100_000_007)
    desk.till.decline = True
    await desk.place(order)
    (payment,) = await desk.settled(order)
    assert payment.state is State.REQUIRES_PAYMENT_METHOD
    ((topic, fact),) = await desk.told()
    assert (topic, fact["decline_code"]) == ("payment-declined", "insufficient_funds")
    assert "funds" in fact["advice"]

    desk.till.decline = False
    body = {"order_id": str(order.order_id), "payment_method": "pm_card_visa"}
    assert (await desk.call("POST", "/payments", body)).status == 404
    reply = await desk.call("POST", "/payments", body, who=order.customer_id)
    assert (reply.status, reply.json()["status"]) == (202, "processing")
    (payment,) = await desk.settled(order)
    # orders was asked, and says another amount than it did when the order was placed
    assert (payment.state, payment.captured, len(payment.attempts)) == (State.SUCCEEDED, AMOUNT, 2)
    assert [fact["sequence"] for _, fact in await desk.told()] == [1, 2]


async def test_an_amount_that_differs_is_a_conflict_and_is_not_told_as_captured(desk: Desk) -> None:
    order = placed()
    desk.till.tamper = 1
    await desk.place(order)
    (payment,) = await desk.settled(order)
    assert payment.state is State.CONFLICTED
    assert await desk.told() == []
