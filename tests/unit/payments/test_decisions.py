from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from apps.contracts.base import Event, Money
from apps.contracts.orders import OrderPlaced
from apps.payments import decisions, outcomes
from apps.payments.domain import IllegalTransitionError, RefundState, RefundTooLargeError, State
from apps.payments.payment import Payment
from apps.payments.provider import Captured, Card, Declined, Lost, Missing, Refused, Returned
from apps.payments.steps import GiveBack, Price, Take, is_pending, next_steps

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=21)
TOTAL = Money(amount=500, currency="EUR")


def claimed() -> Payment:
    order = OrderPlaced(
        order_id=uuid4(), customer_id=uuid4(), number="N", sequence=1, total=TOTAL, payment_method="pm", placed_at=NOW
    )
    return decisions.claim(order, NOW)


def capture(payment: Payment, amount: int = 500, currency: str = "EUR") -> Sequence[Event]:
    outcome = Captured("pi_1", amount, currency, Card("visa", "4242"), b"{}")
    return outcomes.charged(payment, payment.attempt.reference, outcome, NOW)


def captured() -> Payment:
    payment = claimed()
    capture(payment)
    return payment


def give_back(payment: Payment, refund_id: UUID, amount: int, state: RefundState) -> Sequence[Event]:
    return outcomes.returned(payment, refund_id, Returned("re_1", amount, "EUR", state, b"{}"), NOW)


def test_an_answer_heard_twice_counts_once() -> None:
    payment = claimed()
    assert [len(capture(payment)) for _ in range(2)] == [1, 0]
    assert payment.sequence == 1


@pytest.mark.parametrize(("amount", "currency"), [(499, "EUR"), (501, "EUR"), (500, "USD")])
def test_what_differs_from_what_was_asked_is_a_conflict(amount: int, currency: str) -> None:
    payment = claimed()
    assert capture(payment, amount, currency) == []
    assert (payment.state, payment.captured) == (State.CONFLICTED, 0)


def test_a_decline_after_the_cancel_ends_quietly() -> None:
    payment = claimed()
    decisions.cancel(payment, NOW, called=True)
    assert is_pending(payment)
    outcome = Declined("declined", None, None, b"")
    assert outcomes.charged(payment, payment.attempt.reference, outcome, NOW) == []
    assert payment.state is State.CANCELED


def test_money_that_came_after_the_void_goes_back() -> None:
    payment = claimed()
    decisions.cancel(payment, NOW, called=False)
    assert len(capture(payment)) == 1
    assert [refund.amount for refund in payment.refunds] == [500]


def _asks(payment: Payment, after: timedelta, tries: int) -> bool:
    (step,) = next_steps(payment, NOW + after, tries=tries)
    assert isinstance(step, Take)
    return step.ask


def test_an_attempt_that_waited_long_is_asked_for_before_it_is_repeated() -> None:
    payment = claimed()
    assert not _asks(payment, timedelta(hours=21), tries=1)
    assert not _asks(payment, timedelta(minutes=29), tries=2)
    assert _asks(payment, timedelta(minutes=31), tries=2)


def test_an_attempt_whose_answer_was_lost_is_repeated_a_few_times_for_a_minute_and_then_only_asked_for() -> None:
    payment = claimed()
    outcomes.charged(payment, payment.attempt.reference, Lost("x"), NOW)
    assert not _asks(payment, timedelta(seconds=59), tries=7)
    assert _asks(payment, timedelta(seconds=61), tries=7)
    # a backlog came between
    assert not _asks(payment, timedelta(minutes=29), tries=6)
    assert _asks(payment, timedelta(minutes=31), tries=6)


def test_what_the_processor_never_heard_of_is_tried_anew_under_another_reference() -> None:
    payment = claimed()
    first = payment.attempt.reference
    outcomes.charged(payment, payment.attempt.reference, Lost("x"), NOW)
    outcomes.charged(payment, payment.attempt.reference, Missing(), LATER)
    assert payment.state is State.PROCESSING
    (step,) = next_steps(payment, LATER)
    assert isinstance(step, Take)
    assert (step.ask, step.charge.reference == first, step.charge.method) == (False, False, "pm")


def test_a_lost_charge_is_only_asked_for_until_its_request_can_no_longer_come_up() -> None:
    payment = claimed()
    first = payment.attempt.reference
    began = NOW + timedelta(hours=3)
    outcomes.charged(payment, first, Lost("x"), began)
    asked: list[bool] = []
    for second in (30, 61, 150, 300, 359):
        now = began + timedelta(seconds=second)
        (step,) = next_steps(payment, now, tries=7)
        assert isinstance(step, Take)
        asked.append(step.ask)
        outcomes.charged(payment, first, Missing() if step.ask else Lost("x"), now)
        assert payment.attempt.reference == first
    assert asked == [False, True, True, True, True]
    outcomes.charged(payment, first, Missing(), began + timedelta(seconds=360))
    assert payment.attempt.reference != first


def test_a_charge_nobody_recorded_is_looked_for_and_then_made_under_its_own_reference() -> None:
    payment = claimed()
    first = payment.attempt.reference
    outcomes.charged(payment, first, Missing(), LATER)
    (step,) = next_steps(payment, LATER, tries=2)
    assert isinstance(step, Take)
    assert (step.ask, step.charge.reference) == (False, first)


@pytest.mark.parametrize("others", [[], ["captured"], ["declined"]])
def test_money_taken_under_a_reference_that_was_given_up_is_a_conflict(others: list[str]) -> None:
    payment = claimed()
    first = payment.attempt.reference
    outcomes.charged(payment, first, Lost("x"), NOW)
    outcomes.charged(payment, first, Missing(), LATER)
    if "captured" in others:
        capture(payment)
    if "declined" in others:
        outcomes.charged(payment, payment.attempt.reference, Declined("declined", None, None, b""), LATER)
    late = Captured("pi_0", 500, "EUR", None, b"{}")
    assert outcomes.charged(payment, first, late, LATER) == []
    assert (payment.state, payment.attempts[0].provider_id) == (State.CONFLICTED, "pi_0")
    for outcome in (Lost("x"), Missing(), late):
        assert outcomes.charged(payment, payment.attempt.reference, outcome, LATER) == []
    assert payment.state is State.CONFLICTED


def test_a_cancelled_unknown_is_let_go_only_after_a_while() -> None:
    payment = claimed()
    outcomes.charged(payment, payment.attempt.reference, Lost("x"), NOW)
    decisions.cancel(payment, NOW, called=True)
    outcomes.charged(payment, payment.attempt.reference, Missing(), NOW + timedelta(minutes=5))
    assert payment.state is State.UNKNOWN
    outcomes.charged(payment, payment.attempt.reference, Missing(), NOW + timedelta(minutes=7))
    assert (payment.state, is_pending(payment)) == (State.CANCELED, False)


def test_refunds_promised_count_against_what_is_left() -> None:
    payment = captured()
    (refund,) = decisions.ask_refund(payment, Money(amount=300, currency="EUR"), None, NOW)
    with pytest.raises(RefundTooLargeError):
        decisions.ask_refund(payment, Money(amount=201, currency="EUR"), None, NOW)
    outcomes.returned(payment, refund.id, Refused(b""), NOW)
    assert payment.refundable == 500


def test_a_refund_that_turns_out_failed_is_told_once() -> None:
    payment = captured()
    (refund,) = decisions.ask_refund(payment, None, None, NOW)
    states = (RefundState.PENDING, RefundState.SUCCEEDED, RefundState.SUCCEEDED, RefundState.FAILED, RefundState.FAILED)
    assert [len(give_back(payment, refund.id, 500, state)) for state in states] == [0, 1, 0, 1, 0]
    assert (payment.refunded, payment.refundable) == (0, 500)


def test_a_refund_of_another_amount_is_a_conflict() -> None:
    payment = captured()
    (refund,) = decisions.ask_refund(payment, None, None, NOW)
    assert [fact.topic for fact in give_back(payment, refund.id, 499, RefundState.SUCCEEDED)] == ["refund-failed"]
    assert (payment.state, refund.state) == (State.CONFLICTED, RefundState.CONFLICTED)


def test_nothing_goes_back_before_anything_came_in() -> None:
    with pytest.raises(IllegalTransitionError):
        decisions.ask_refund(claimed(), None, None, NOW)


def test_a_pending_refund_is_asked_about_and_not_made_again() -> None:
    payment = captured()
    (refund,) = decisions.ask_refund(payment, None, None, NOW)
    give_back(payment, refund.id, 500, RefundState.PENDING)
    (step,) = next_steps(payment, NOW)
    assert isinstance(step, GiveBack)
    assert (step.ask, step.refund.provider_id, step.refund.charge_id) == (True, "re_1", "pi_1")


def test_paying_again_asks_for_the_price_first() -> None:
    payment = claimed()
    outcomes.charged(payment, payment.attempt.reference, Declined("declined", None, None, b""), NOW)
    decisions.pay_again(payment, "pm_2", NOW)
    assert next_steps(payment, NOW) == [Price(payment.order_id)]
    decisions.priced(payment, Money(amount=700, currency="EUR"))
    (step,) = next_steps(payment, NOW)
    assert isinstance(step, Take)
    assert (step.charge.amount, step.charge.method) == (700, "pm_2")
    assert len({attempt.reference for attempt in payment.attempts}) == 2


def test_a_cancelled_attempt_that_waits_for_its_price_is_never_made() -> None:
    payment = claimed()
    outcomes.charged(payment, payment.attempt.reference, Declined("declined", None, None, b""), NOW)
    decisions.pay_again(payment, "pm_2", NOW)
    decisions.cancel(payment, NOW, called=True)
    decisions.priced(payment, Money(amount=700, currency="EUR"))
    assert (payment.state, is_pending(payment)) == (State.CANCELED, False)


def test_a_cancelled_payment_is_asked_for_and_never_charged() -> None:
    payment = claimed()
    decisions.cancel(payment, NOW, called=True)
    (step,) = next_steps(payment, NOW)
    assert isinstance(step, Take)
    assert step.ask


def test_a_record_reads_back_as_it_was_written() -> None:
    payment = captured()
    decisions.ask_refund(payment, None, "broken", NOW)
    assert Payment.load(payment.dump()) == payment
