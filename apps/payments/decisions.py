"""What each answer and each wish does to a payment; pure, and returns the facts that follow."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from apps.contracts.base import Event, Money
from apps.contracts.orders import OrderPlaced
from apps.contracts.payments import PaymentCaptured, PaymentDeclined, PaymentRefunded, RefundFailed
from apps.payments.declines import ADVICE
from apps.payments.domain import (
    REFUND_TRANSITIONS,
    IllegalTransitionError,
    RefundState,
    RefundTooLargeError,
    State,
    Trigger,
)
from apps.payments.payment import REPEAT_FOR, SETTLED, Attempt, AttemptStatus, Payment, Refund
from apps.payments.provider import Captured, ChargeOutcome, Declined, Lost, Missing, RefundOutcome, Refused, Returned

# A request that the processor has not shown so long after its last repetition will not come up any more.
SETTLE_GRACE: Final = timedelta(minutes=5)


def claim(placed: OrderPlaced, now: datetime) -> Payment:
    """Return the payment that *placed* asks for, its first attempt ready to be made."""
    payment = Payment(
        uuid7(), placed.order_id, placed.customer_id, placed.total.amount, placed.total.currency, placed.number
    )
    _plan_attempt(payment, placed.payment_method, now, AttemptStatus.PLANNED)
    return payment


def tombstone(order_id: UUID, customer_id: UUID, total: Money) -> Payment:
    """Return a payment that will never be made: its order was cancelled before it was heard of."""
    return Payment(uuid7(), order_id, customer_id, total.amount, total.currency, state=State.CANCELED, cancelled=True)


def cancel(payment: Payment, now: datetime, *, called: bool) -> None:
    """Stop what was not begun, and give back what was taken; *called* means the processor may have been asked."""
    if payment.cancelled:
        return
    payment.cancelled = True
    if payment.state is State.SUCCEEDED:
        _return_all(payment, now)
    elif payment.state is State.REQUIRES_PAYMENT_METHOD or (payment.state is State.PROCESSING and not called):
        _void(payment)
    elif payment.attempt.status is AttemptStatus.UNPRICED:
        # whatever was begun, it was orders that was asked
        _void(payment)


def pay_again(payment: Payment, method: str, now: datetime) -> None:
    """Plan another attempt; orders is asked for the amount before it is made."""
    payment.move(Trigger.PAY_AGAIN)
    _plan_attempt(payment, method, now, AttemptStatus.UNPRICED)


def priced(payment: Payment, total: Money) -> None:
    """Take the amount from orders; nothing has been asked of the processor for this attempt."""
    if payment.attempt.status is AttemptStatus.UNPRICED:
        payment.amount, payment.currency = total.amount, total.currency
        payment.attempt.status = AttemptStatus.PLANNED


def ask_refund(payment: Payment, amount: Money | None, reason: str | None, now: datetime) -> Refund:
    """Promise to give *amount* back, or all that is left; never more than was captured."""
    if payment.state is not State.SUCCEEDED:
        raise IllegalTransitionError(f"A payment that is {payment.state} has nothing to give back.")
    wanted = amount or payment.money(payment.refundable)
    if wanted.currency != payment.currency:
        raise RefundTooLargeError(f"This payment was made in {payment.currency}.")
    if not 0 < wanted.amount <= payment.refundable:
        raise RefundTooLargeError(f"At most {payment.refundable} {payment.currency} can go back.")
    return _plan_refund(payment, wanted.amount, reason, now)


def charged(payment: Payment, reference: str, outcome: ChargeOutcome, now: datetime) -> Sequence[Event]:
    """Take in what the processor said about an attempt; an answer to a settled one changes nothing."""
    attempt = next((each for each in payment.attempts if each.reference == reference), None)
    if attempt is None or attempt.status in SETTLED:
        return []
    if attempt.status is AttemptStatus.VOIDED or payment.state is State.CONFLICTED:
        return _after_all(payment, attempt, outcome, now)
    match outcome:
        case Captured():
            return _captured(payment, attempt, outcome, now)
        case Declined():
            return _declined(payment, attempt, outcome, now)
        case Lost():
            attempt.status, attempt.open_since = AttemptStatus.UNKNOWN, attempt.open_since or now
            payment.move(Trigger.ANSWER_LOST)
        case Missing():
            _missing(payment, attempt, now)
        case _:
            pass
    return []


def returned(payment: Payment, refund_id: UUID, outcome: RefundOutcome, now: datetime) -> Sequence[Event]:
    """Take in what the processor said about a refund."""
    refund = next(each for each in payment.refunds if each.id == refund_id)
    match outcome:
        case Returned():
            refund.provider_id = outcome.provider_id
            # one that failed is told with whatever amount: nothing moved
            differs = (outcome.amount, outcome.currency) != (refund.amount, payment.currency)
            return _settle(
                payment, refund, RefundState.CONFLICTED if differs and _moved(outcome) else outcome.state, now
            )
        case Refused():
            return _settle(payment, refund, RefundState.FAILED, now)
        case Missing():
            refund.planned_at = now
        case _:
            pass
    return []


def _moved(outcome: Returned) -> bool:
    return outcome.state is not RefundState.FAILED


def _captured(payment: Payment, attempt: Attempt, outcome: Captured, now: datetime) -> Sequence[Event]:
    _note(attempt, outcome)
    if (outcome.amount, outcome.currency) != (payment.amount, payment.currency):
        attempt.status = AttemptStatus.CONFLICTED
        payment.move(Trigger.MISMATCHED)
        return []
    attempt.status = AttemptStatus.CAPTURED
    payment.move(Trigger.CAPTURED)
    payment.captured = outcome.amount
    if payment.cancelled:
        _return_all(payment, now)
    fact = PaymentCaptured(**_about(payment), amount=payment.money(payment.captured), captured_at=now)
    return [fact]


def _after_all(payment: Payment, attempt: Attempt, outcome: ChargeOutcome, now: datetime) -> Sequence[Event]:
    """Take in that an attempt which was given up took the money: it goes back, or a person has to compare."""
    if not isinstance(outcome, Captured):
        return []
    if payment.state is State.CANCELED:
        return _captured(payment, attempt, outcome, now)
    _note(attempt, outcome)
    attempt.status = AttemptStatus.CONFLICTED
    if payment.state is not State.CONFLICTED:
        payment.move(Trigger.MISMATCHED)
    return []


def _declined(payment: Payment, attempt: Attempt, outcome: Declined, now: datetime) -> Sequence[Event]:
    _note(attempt, outcome)
    attempt.status, attempt.decline_code = AttemptStatus.DECLINED, outcome.code
    payment.move(Trigger.DECLINED)
    if payment.cancelled:
        payment.move(Trigger.VOIDED)
        return []
    advice = ADVICE[outcome.code]
    return [PaymentDeclined(**_about(payment), decline_code=outcome.code, advice=advice, declined_at=now)]


def _missing(payment: Payment, attempt: Attempt, now: datetime) -> None:
    """Settle, once it is certain, that nothing was charged: try anew, or let go where the order is cancelled."""
    attempt.open_since = attempt.open_since or now
    if now - attempt.open_since < REPEAT_FOR + SETTLE_GRACE:
        return
    if payment.cancelled:
        _void(payment)
    else:
        # a new reference: under the old one the processor may answer with a stored error
        attempt.status = AttemptStatus.VOIDED
        payment.move(Trigger.NOT_CHARGED)
        _plan_attempt(payment, attempt.method, now, AttemptStatus.PLANNED)


def _settle(payment: Payment, refund: Refund, state: RefundState, now: datetime) -> Sequence[Event]:
    if (refund.state, state) not in REFUND_TRANSITIONS:
        return []
    refund.state = state
    amount = payment.money(refund.amount)
    if state is RefundState.SUCCEEDED:
        refunded = payment.money(payment.refunded)
        about = _about(payment)
        return [PaymentRefunded(**about, refund_id=refund.id, amount=amount, refunded=refunded, refunded_at=now)]
    if state is RefundState.CONFLICTED and payment.state is State.SUCCEEDED:
        payment.move(Trigger.MISMATCHED)
    return [RefundFailed(**_about(payment), refund_id=refund.id, amount=amount, failed_at=now)]


def _about(payment: Payment) -> dict[str, Any]:
    return {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "customer_id": payment.customer_id,
        "order_number": payment.order_number,
        "sequence": payment.next_sequence(),
    }


def _note(attempt: Attempt, outcome: Captured | Declined) -> None:
    attempt.provider_id = outcome.provider_id or attempt.provider_id
    if outcome.card:
        attempt.brand, attempt.last4 = outcome.card.brand, outcome.card.last4


def _plan_attempt(payment: Payment, method: str, now: datetime, status: AttemptStatus) -> None:
    reference = f"{payment.id}-charge-{len(payment.attempts) + 1}"
    payment.attempts.append(Attempt(reference, now, method, status))


def _plan_refund(payment: Payment, amount: int, reason: str | None, now: datetime) -> Refund:
    refund = Refund(uuid7(), f"{payment.id}-refund-{len(payment.refunds) + 1}", now, amount, reason)
    payment.refunds.append(refund)
    return refund


def _return_all(payment: Payment, now: datetime) -> None:
    if payment.refundable > 0:
        _plan_refund(payment, payment.refundable, "order cancelled", now)


def _void(payment: Payment) -> None:
    payment.attempt.status = AttemptStatus.VOIDED if payment.attempt.status not in SETTLED else payment.attempt.status
    payment.move(Trigger.VOIDED)
