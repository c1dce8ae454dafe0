"""Which processor makes the next attempt: another only after a no of the first one's own, never after a lost answer."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from apps.contracts.base import Money
from apps.contracts.orders import OrderPlaced
from apps.payments import decisions, outcomes, terms
from apps.payments.domain import State
from apps.payments.payment import AttemptStatus, Payment
from apps.payments.provider import Accepted, Captured, Declined, Lost, Missing
from apps.payments.steps import Take, next_steps, pause
from apps.payments.terms import Terms

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def first_then_second() -> Iterator[None]:
    terms.use(lambda _currency, _id, _method, failed: Terms("checkout-com" if "stripe" in failed else "stripe"))
    yield
    terms.use(None)


def claimed() -> Payment:
    total = Money(amount=500, currency="EUR")
    about = {"order_id": uuid4(), "customer_id": uuid4(), "number": "N", "sequence": 1, "placed_at": NOW}
    return decisions.claim(OrderPlaced(**about, total=total, payment_method="pm"), NOW)


@pytest.mark.parametrize("code", ["try_again", "amount_not_accepted"])
def test_a_no_of_the_processors_own_goes_to_the_next(code: str) -> None:
    payment = claimed()
    assert outcomes.charged(payment, payment.attempt.reference, Declined(code, None, None, b""), NOW) == []
    assert [each.provider for each in payment.attempts] == ["stripe", "checkout-com"]
    assert payment.state is State.PROCESSING
    told = outcomes.charged(payment, payment.attempt.reference, Declined(code, None, None, b""), NOW)
    assert [type(each).__name__ for each in told] == ["PaymentDeclined"], "and no further than there is a way"


@pytest.mark.parametrize("code", ["insufficient_funds", "card_expired", "contact_bank", "declined", "method_not_valid"])
def test_the_banks_own_no_stays_a_no(code: str) -> None:
    payment = claimed()
    told = outcomes.charged(payment, payment.attempt.reference, Declined(code, None, None, b""), NOW)
    assert len(told) == len(payment.attempts) == 1


def test_a_lost_answer_never_goes_elsewhere() -> None:
    payment = claimed()
    first = payment.attempt.reference
    outcomes.charged(payment, first, Lost("x"), NOW)
    assert len(payment.attempts) == 1
    # even if another way is open by now
    terms.use(lambda *_: Terms("checkout-com"))
    outcomes.charged(payment, first, Missing(), LATER)
    assert [each.provider for each in payment.attempts] == ["stripe", "stripe"]
    assert payment.attempts[0].status is AttemptStatus.VOIDED
    late = Captured("pi_0", 500, "EUR", None, b"")
    outcomes.charged(payment, first, late, LATER)
    assert payment.state is State.CONFLICTED, "should the lost one come up all the same, people hear of it"


def test_what_was_accepted_is_asked_about_and_not_repeated() -> None:
    payment = claimed()
    assert outcomes.charged(payment, payment.attempt.reference, Accepted("pay_1", b"{}"), NOW) == []
    assert str(payment.state) == "processing"
    (step,) = next_steps(payment, NOW, tries=2)
    assert isinstance(step, Take)
    assert (step.ask, step.charge.provider_id) == (True, "pay_1")
    pauses = [pause(Accepted("pay_1", b""), tries) for tries in (1, 6)]
    assert timedelta(0) < pauses[0] < timedelta(seconds=2) < timedelta(seconds=20) < pauses[1]
    outcomes.charged(payment, payment.attempt.reference, Captured("pay_1", 500, "EUR", None, b""), NOW)
    assert payment.state is State.SUCCEEDED
