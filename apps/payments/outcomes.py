"""What each answer of a processor does to a payment; pure, and returns the facts that follow."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from apps.contracts.base import Event
from apps.contracts.payments import (
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
)
from apps.payments import planning
from apps.payments.declines import ADVICE, RETRYABLE
from apps.payments.domain import REFUND_TRANSITIONS, RefundState, State, Trigger
from apps.payments.payment import REPEAT_FOR, SETTLED, Attempt, AttemptStatus, Payment, Refund, Wish
from apps.payments.provider import (
    Accepted,
    ActionRequired,
    Authorised,
    Captured,
    ChargeOutcome,
    Declined,
    Lost,
    Missing,
    RefundOutcome,
    Refused,
    Released,
    Returned,
)

# A request that the processor has not shown so long after its last repetition will not come up any more.
SETTLE_GRACE: Final = timedelta(minutes=5)
# Whoever has not confirmed to the bank by now went away: the attempt is let go, and paying again is possible.
CUSTOMER_TIME: Final = timedelta(hours=1)
_S = AttemptStatus


def charged(payment: Payment, reference: str, outcome: ChargeOutcome, now: datetime) -> Sequence[Event]:
    """Take in what the processor said about an attempt; an answer to a settled one changes nothing."""
    attempt = next((each for each in payment.attempts if each.reference == reference), None)
    if attempt is None or attempt.status in SETTLED:
        return []
    if payment.state is State.CONFLICTED or (attempt.status is _S.VOIDED and payment.state is not State.CANCELED):
        return _after_all(payment, attempt, outcome)
    facts = _take_in(payment, attempt, outcome, now)
    planning.settle(payment, now)
    return facts


def _take_in(payment: Payment, attempt: Attempt, outcome: ChargeOutcome, now: datetime) -> Sequence[Event]:
    if attempt.status is _S.VOIDED and not isinstance(outcome, Captured | Authorised):
        return []
    match outcome:
        case Captured():
            return _captured(payment, attempt, outcome, now)
        case Authorised():
            return _authorised(payment, attempt, outcome, now)
        case ActionRequired():
            _action_required(payment, attempt, outcome, now)
        case Accepted():
            attempt.provider_id = outcome.provider_id
        case Declined():
            return _declined(payment, attempt, outcome, now)
        case Released():
            return _released(payment, attempt, outcome, now)
        case Lost():
            _lost(payment, attempt, now)
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
            moved = outcome.state is not RefundState.FAILED
            return _settle_refund(payment, refund, RefundState.CONFLICTED if differs and moved else outcome.state, now)
        case Refused():
            return _settle_refund(payment, refund, RefundState.FAILED, now)
        case Missing():
            refund.planned_at = now
        case _:
            pass
    return []


def _captured(payment: Payment, attempt: Attempt, outcome: Captured, now: datetime) -> Sequence[Event]:
    _note(attempt, outcome)
    expected = attempt.wanted if attempt.status is _S.AUTHORISED and attempt.wish is Wish.CAPTURE else attempt.amount
    if (outcome.amount, outcome.currency) != (expected or payment.amount, payment.currency):
        return _mismatch(payment, attempt)
    attempt.status, attempt.wish, attempt.captured = _S.CAPTURED, None, outcome.amount
    payment.captured += outcome.amount
    payment.move(Trigger.CAPTURED)
    planning.heed_others(payment)
    if payment.cancelled:
        planning.return_all(payment, now)
    amount, captured = payment.money(outcome.amount), payment.money(payment.captured)
    return [PaymentCaptured(**_about(payment), amount=amount, captured=captured, captured_at=now)]


def _authorised(payment: Payment, attempt: Attempt, outcome: Authorised, now: datetime) -> Sequence[Event]:
    _note(attempt, outcome)
    if (outcome.amount, outcome.currency) != (attempt.amount or payment.amount, payment.currency):
        return _mismatch(payment, attempt)
    known = attempt.status is _S.AUTHORISED
    attempt.status, attempt.action_url = _S.AUTHORISED, None
    if attempt.wish is None and not attempt.manual and not payment.cancelled:
        attempt.wish, attempt.wanted = Wish.CAPTURE, attempt.amount
    if not known or payment.state is State.UNKNOWN:
        payment.move(Trigger.AUTHORISED)
        planning.heed_others(payment)
    return (
        [] if known else [PaymentAuthorised(**_about(payment), amount=payment.money(payment.held), authorised_at=now)]
    )


def _action_required(payment: Payment, attempt: Attempt, outcome: ActionRequired, now: datetime) -> None:
    attempt.provider_id, attempt.action_url = outcome.provider_id, outcome.url
    attempt.status = _S.REQUIRES_ACTION
    if payment.state is not State.REQUIRES_ACTION:
        payment.move(Trigger.CUSTOMER_ASKED)
    if now - attempt.planned_at > CUSTOMER_TIME:
        attempt.wish = Wish.VOID


def _after_all(payment: Payment, attempt: Attempt, outcome: ChargeOutcome) -> Sequence[Event]:
    """Take in that an attempt which was given up took the money: a person has to compare."""
    if not isinstance(outcome, Captured | Authorised):
        return []
    _note(attempt, outcome)
    return _mismatch(payment, attempt)


def _mismatch(payment: Payment, attempt: Attempt) -> Sequence[Event]:
    attempt.status, attempt.wish = _S.CONFLICTED, None
    if payment.state is not State.CONFLICTED:
        payment.move(Trigger.MISMATCHED)
    return []


def _declined(payment: Payment, attempt: Attempt, outcome: Declined, now: datetime) -> Sequence[Event]:
    _note(attempt, outcome)
    attempt.status, attempt.decline_code, attempt.wish = _S.DECLINED, outcome.code, None
    payment.move(Trigger.DECLINED)
    if payment.cancelled or not payment.owing > payment.held:
        planning.rest(payment)
        return []
    if outcome.code in RETRYABLE and _fail_over(payment, attempt, now):
        return []
    captured = payment.money(payment.captured) if payment.captured else None
    about = _about(payment)
    advice = ADVICE[outcome.code]
    return [PaymentDeclined(**about, decline_code=outcome.code, advice=advice, captured=captured, declined_at=now)]


def _fail_over(payment: Payment, attempt: Attempt, now: datetime) -> bool:
    """Try another processor where the first could not, if the terms name one; the bank's own no is never retried."""
    failed = frozenset(each.provider for each in payment.attempts if each.decline_code in RETRYABLE)
    planned = planning.attempt_elsewhere(payment, attempt.method, now, failed)
    if planned:
        payment.move(Trigger.PAY_AGAIN)
    return planned


def _released(payment: Payment, attempt: Attempt, outcome: Released, now: datetime) -> Sequence[Event]:
    """Take in that nothing is held any more: as was wished, or because the authorisation ran out."""
    attempt.provider_id = outcome.provider_id
    wished = payment.cancelled or bool(payment.waived)
    if attempt.status is not _S.AUTHORISED and not wished:
        waited = attempt.status is _S.REQUIRES_ACTION
        code = "authentication_required" if waited else "declined"
        return _declined(payment, attempt, Declined(code, None, None, outcome.raw), now)
    held = attempt.status is _S.AUTHORISED
    wished = wished or attempt.wish is Wish.VOID
    attempt.status, attempt.wish = _S.RELEASED, None
    if wished:
        planning.rest(payment)
    elif payment.state is not State.REQUIRES_PAYMENT_METHOD:
        payment.move(Trigger.DECLINED)
    amount = payment.money(attempt.amount or 0)
    return [PaymentVoided(**_about(payment), amount=amount, voided_at=now)] if held else []


def _lost(payment: Payment, attempt: Attempt, now: datetime) -> None:
    if attempt.status is _S.REQUIRES_ACTION:
        return
    attempt.open_since = attempt.open_since or now
    if attempt.status is not _S.AUTHORISED:
        attempt.status = _S.UNKNOWN
    elif payment.state not in (State.REQUIRES_CAPTURE, State.UNKNOWN):
        return
    payment.move(Trigger.ANSWER_LOST)


def _missing(payment: Payment, attempt: Attempt, now: datetime) -> None:
    """Settle, once it is certain, that nothing was charged: try anew, or let go where the order is cancelled."""
    attempt.open_since = attempt.open_since or now
    if now - attempt.open_since < REPEAT_FOR + SETTLE_GRACE or attempt.status not in (_S.PLANNED, _S.UNKNOWN):
        return
    attempt.status = _S.VOIDED
    if payment.cancelled:
        planning.rest(payment)
        return
    # a new reference: under the old one the processor may answer with a stored error; never elsewhere, since only
    # this processor can ever tell whether the lost one came up after all
    payment.move(Trigger.NOT_CHARGED)
    planning.repeat_attempt(payment, attempt, now)


def _settle_refund(payment: Payment, refund: Refund, state: RefundState, now: datetime) -> Sequence[Event]:
    if (refund.state, state) not in REFUND_TRANSITIONS:
        return []
    refund.state = state
    amount = payment.money(refund.amount)
    if state is RefundState.SUCCEEDED:
        refunded = payment.money(payment.refunded)
        about = _about(payment)
        return [PaymentRefunded(**about, refund_id=refund.id, amount=amount, refunded=refunded, refunded_at=now)]
    if state is RefundState.CONFLICTED and payment.state is not State.CONFLICTED:
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


def _note(attempt: Attempt, outcome: Captured | Authorised | Declined) -> None:
    attempt.provider_id = outcome.provider_id or attempt.provider_id
    if outcome.card:
        attempt.brand, attempt.last4 = outcome.card.brand, outcome.card.last4
