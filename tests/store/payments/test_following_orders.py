"""What happens to an order after it was placed, in whatever order it is heard: the money follows."""

from itertools import permutations

import pytest

from apps.contracts.orders import OrderPlaced
from apps.payments import terms
from apps.payments.domain import State
from apps.payments.terms import Terms
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AMOUNT, cancelled, changed, expired, goods_returned, placed, shipped


def taken(desk: Desk) -> int:
    return sum(desk.till.sums.get(reference, charge.amount) for reference, charge in desk.till.taken.items())


def given(desk: Desk) -> int:
    return sum(refund.amount for refund in desk.till.given.values())


async def test_a_dearer_order_is_charged_the_difference_and_a_cheaper_one_gets_it_back(desk: Desk) -> None:
    order = placed(500)
    await desk.place(order)
    await desk.settled(order)
    await desk.hear(changed(order, 700, 2))
    (payment,) = await desk.settled(order)
    assert (payment.state, payment.captured, taken(desk)) == (State.SUCCEEDED, 700, 700)
    await desk.hear(changed(order, 450, 4), changed(order, 900, 3))
    (payment,) = await desk.settled(order)
    assert (taken(desk), given(desk), payment.refunded) == (700, 250, 250)
    assert [attempt.method for attempt in payment.attempts] == ["pm_card_mastercard"] * 2
    facts = [(topic, data.get("captured")) for topic, data in await desk.told()]
    assert facts[:2] == [
        ("payment-captured", {"amount": 500, "currency": "EUR"}),
        ("payment-captured", {"amount": 700, "currency": "EUR"}),
    ]
    assert [topic for topic, _ in facts[2:]] == ["payment-refunded"] * len(facts[2:])


async def test_a_change_before_the_charge_is_simply_the_amount(desk: Desk) -> None:
    order = placed(500)
    await desk.place(order)
    await desk.hear(changed(order, 300))
    await desk.settled(order)
    assert (taken(desk), len(desk.till.taken), given(desk)) == (300, 1, 0)


async def test_a_refused_difference_leaves_what_was_captured_and_can_be_paid_again(desk: Desk) -> None:
    order = placed(500)
    await desk.place(order)
    await desk.settled(order)
    desk.till.decline = True
    await desk.hear(changed(order, AMOUNT))
    (payment,) = await desk.settled(order)
    assert (payment.state, payment.captured) == (State.REQUIRES_PAYMENT_METHOD, 500)
    topic, fact = (await desk.told())[-1]
    assert (topic, fact["captured"]["amount"]) == ("payment-declined", 500)
    desk.till.decline = False
    body = {"order_id": str(order.order_id), "payment_method": "pm_card_visa"}
    assert (await desk.call("POST", "/payments", body, who=order.customer_id)).status == 202
    (payment,) = await desk.settled(order)
    assert (payment.state, payment.captured, taken(desk)) == (State.SUCCEEDED, AMOUNT, AMOUNT)


@pytest.mark.parametrize("reversed_order", list(permutations(range(3))))
async def test_facts_settle_alike_in_whatever_order_they_arrive(desk: Desk, reversed_order: tuple[int, ...]) -> None:
    order = placed(500)
    back = goods_returned(order, 100)

    async def hear(which: int) -> None:
        if which == 0:
            await desk.place(order)
        else:
            await desk.hear(changed(order, 400) if which == 1 else back)
            await desk.hear(changed(order, 400) if which == 1 else back)

    for which in reversed_order:
        await hear(which)
    (payment,) = await desk.settled(order)
    assert (taken(desk) - given(desk), payment.state) == (300, State.SUCCEEDED)


async def test_an_expired_order_is_not_charged_and_its_late_placing_changes_nothing(desk: Desk) -> None:
    order, late = placed(), placed()
    await desk.place(order)
    await desk.hear(expired(order), expired(late), cancelled(late))
    await desk.place(late)
    states = [payment.state for payment in await desk.settled(order, late)]
    assert (states, desk.till.calls) == ([State.CANCELED] * 2, [])


async def test_a_return_gives_back_exactly_its_refund_once_and_never_more_than_came_in(desk: Desk) -> None:
    order = placed(500)
    await desk.place(order)
    await desk.settled(order)
    back = goods_returned(order, 200)
    for _ in range(2):
        await desk.hear(back, back)
        await desk.settled(order)
    assert given(desk) == 200
    await desk.hear(goods_returned(order, 400))
    await desk.settled(order)
    assert given(desk) == 500


async def held(desk: Desk, amount: int = 500) -> OrderPlaced:
    terms.use(lambda *_: Terms(manual=True))
    order = placed(amount)
    try:
        await desk.place(order)
    finally:
        terms.use(None)
    (payment,) = await desk.settled(order)
    assert (payment.state, payment.held, payment.captured) == (State.REQUIRES_CAPTURE, amount, 0)
    return order


async def test_shipping_captures_what_is_only_held_at_the_newest_price(desk: Desk) -> None:
    order = await held(desk)
    await desk.hear(changed(order, 420), shipped(order))
    (payment,) = await desk.settled(order)
    assert (payment.state, payment.captured, taken(desk)) == (State.SUCCEEDED, 420, 420)
    assert [topic for topic, _ in await desk.told()] == ["payment-authorised", "payment-captured"]


async def test_a_cancelled_order_lets_go_of_what_is_held(desk: Desk) -> None:
    order = await held(desk)
    desk.till.lose_answers = 1
    await desk.hear(cancelled(order))
    (payment,) = await desk.settled(order)
    assert (payment.state, desk.till.held, taken(desk)) == (State.CANCELED, {}, 0)
    assert (await desk.told())[-1][0] == "payment-voided"


@pytest.mark.parametrize("lost", [0, 2])
async def test_support_captures_a_part_and_the_rest_is_let_go(desk: Desk, lost: int) -> None:
    order = await held(desk)
    payment = await desk.payment(order.order_id)
    path = f"/payments/{payment.id}/capture"
    desk.till.lose_answers = lost
    assert (await desk.call("POST", path, {"amount": 300})).status == 403
    assert (await desk.call("POST", path, {"amount": 501}, role="support")).status == 409
    assert (await desk.call("POST", path, {"amount": 300}, role="support")).status == 202
    assert (await desk.call("POST", path, {"amount": 300}, role="support")).status == 409
    (payment,) = await desk.settled(order)
    assert (payment.state, payment.captured, taken(desk)) == (State.SUCCEEDED, 300, 300)
    await desk.hear(shipped(order))
    await desk.settled(order)
    assert (taken(desk), len(desk.till.taken)) == (300, 1)


async def test_support_voids_what_is_held_and_nothing_is_charged_after(desk: Desk) -> None:
    order = await held(desk)
    payment = await desk.payment(order.order_id)
    assert (await desk.call("POST", f"/payments/{payment.id}/void", role="support")).status == 202
    (payment,) = await desk.settled(order)
    assert (payment.state, desk.till.held, payment.captured) == (State.CANCELED, {}, 0)
    await desk.hear(shipped(order))
    await desk.settled(order)
    assert taken(desk) == 0


async def test_whoever_must_confirm_is_shown_where_and_is_charged_once_they_did(desk: Desk) -> None:
    order = placed()
    desk.till.ask_customer = True
    await desk.place(order)
    await desk.settled(order)
    (payment,) = await desk.settled(order)
    shown = (await desk.call("GET", f"/payments/{payment.id}", who=order.customer_id)).json()
    reference = payment.attempt.reference
    assert (shown["status"], shown["next_action"]["url"]) == ("requires_action", f"http://bank.test/{reference}")
    desk.till.confirm(reference)
    async with desk.working():
        await desk.until(lambda: _is(desk, order, State.SUCCEEDED))
    shown = (await desk.call("GET", f"/payments/{payment.id}", who=order.customer_id)).json()
    assert (shown["next_action"], shown["captured"]["amount"]) == (None, AMOUNT)


async def test_an_order_cancelled_while_its_customer_is_asked_is_let_go(desk: Desk) -> None:
    order = placed()
    desk.till.ask_customer = True
    await desk.place(order)
    await desk.settled(order)
    await desk.hear(cancelled(order))
    (payment,) = await desk.settled(order)
    assert (payment.state, desk.till.waiting, desk.till.taken) == (State.CANCELED, {}, {})


async def _is(desk: Desk, order: OrderPlaced, state: State) -> bool:
    return (await desk.payment(order.order_id)).state is state
