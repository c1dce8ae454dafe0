"""What a payment comes to, whatever has happened to it and in whatever order it was heard: `settle` brings it there."""

from datetime import datetime
from typing import Final

from uuid_utils.compat import uuid7

from apps.payments import terms
from apps.payments.domain import RefundState, State, Trigger
from apps.payments.payment import SETTLED, Attempt, AttemptStatus, Payment, Refund, Wish
from apps.payments.terms import Terms

# Where a further attempt may follow by itself; after a decline it is for the customer to say by which method.
_CHARGEABLE: Final = (State.SUCCEEDED, State.REQUIRES_CAPTURE)


def plan_attempt(payment: Payment, method: str, now: datetime, status: AttemptStatus) -> None:
    """Make another attempt ready, on the terms that hold now."""
    _plan(payment, method, now, status, terms.choose(payment.currency, payment.id, method))


def repeat_attempt(payment: Payment, attempt: Attempt, now: datetime) -> None:
    """Make an attempt ready in the place of one that never was, with the same processor."""
    agreed = Terms(attempt.provider, attempt.manual)
    _plan(payment, attempt.method, now, AttemptStatus.PLANNED, agreed)


def _plan(payment: Payment, method: str, now: datetime, status: AttemptStatus, agreed: Terms) -> None:
    payment.attempts.append(
        Attempt(
            f"{payment.id}-charge-{len(payment.attempts) + 1}",
            now,
            method,
            status,
            amount=due(payment),
            provider=agreed.provider,
            manual=agreed.manual,
        )
    )


def due(payment: Payment) -> int:
    """Return how much is owed beyond what is held."""
    return max(payment.owing - payment.held, 0)


def settle(payment: Payment, now: datetime, *, called: bool = True) -> None:
    """Bring a payment in line with its order; *called* means the processor may have been asked for its open attempt."""
    if payment.state is State.CONFLICTED or not payment.attempts:
        return
    if payment.cancelled:
        _undo(payment, called=called)
        return
    _adjust_open(payment, called=called)
    _give_back_returns(payment, now)
    if payment.state in _CHARGEABLE:
        _settle_difference(payment, now)
    if payment.shipped:
        wish_capture(payment, max(payment.owing, 0))


def plan_refunds(
    payment: Payment, amount: int, reason: str | None, now: datetime, *, for_change: bool = False
) -> list[Refund]:
    """Promise *amount*, out of what each attempt took, the oldest first."""
    planned: list[Refund] = []
    for attempt in payment.attempts:
        part = min(amount - sum(each.amount for each in planned), _left(payment, attempt))
        if part > 0:
            reference = f"{payment.id}-refund-{len(payment.refunds) + 1}"
            refund = Refund(uuid7(), reference, now, part, reason, attempt=attempt.reference, for_change=for_change)
            payment.refunds.append(refund)
            planned.append(refund)
    return planned


def wish_capture(payment: Payment, amount: int) -> None:
    """Have up to *amount* of what is held taken, and the rest let go."""
    for attempt in payment.attempts:
        if attempt.status is not AttemptStatus.AUTHORISED:
            continue
        if attempt.wish is None:
            attempt.wanted = min(attempt.amount or 0, amount)
            attempt.wish = Wish.CAPTURE if attempt.wanted else Wish.VOID
        amount -= attempt.wanted or 0


def wish_void(payment: Payment) -> None:
    """Have let go what is held or waits for its customer."""
    for attempt in payment.attempts:
        if attempt.status in (AttemptStatus.AUTHORISED, AttemptStatus.REQUIRES_ACTION):
            attempt.wish = attempt.wish or Wish.VOID


def rest(payment: Payment) -> None:
    """Let a payment whose attempt came to nothing stand where its other attempts left it."""
    if not heed_others(payment):
        payment.move(Trigger.SETTLED if payment.captured else Trigger.VOIDED)


def heed_others(payment: Payment) -> bool:
    """Stand where another attempt waits for its customer or is held, if one does."""
    waiting = any(each.status is AttemptStatus.REQUIRES_ACTION for each in payment.attempts)
    if waiting:
        payment.move(Trigger.CUSTOMER_ASKED)
    elif payment.held:
        payment.move(Trigger.AUTHORISED)
    return waiting or payment.held > 0


def _left(payment: Payment, attempt: Attempt) -> int:
    gone = sum(
        refund.amount
        for refund in payment.refunds
        if refund.state is not RefundState.FAILED and payment.charged_by(refund) is attempt
    )
    return attempt.captured - gone


def _undo(payment: Payment, *, called: bool) -> None:
    open_attempt = payment.open_attempt()
    unasked = open_attempt and (open_attempt.status is AttemptStatus.UNPRICED or not called)
    if unasked or payment.state is State.REQUIRES_PAYMENT_METHOD:
        give_up(payment)
    wish_void(payment)


def return_all(payment: Payment, now: datetime) -> None:
    """Promise all that was taken; called once for each time that something was, so that a failure is not repeated."""
    if payment.refundable > 0:
        plan_refunds(payment, payment.refundable, "order cancelled", now)


def give_up(payment: Payment) -> None:
    """Drop the newest attempt: nobody was asked for it, or it came to nothing."""
    attempt = payment.attempt
    attempt.status = attempt.status if attempt.status in SETTLED else AttemptStatus.VOIDED
    rest(payment)


def _adjust_open(payment: Payment, *, called: bool) -> None:
    """Have an attempt that nobody was asked for take what is owed now, or drop it where nothing is."""
    attempt = payment.open_attempt()
    if attempt and attempt.status is AttemptStatus.PLANNED and not called:
        attempt.amount = due(payment)
        if not attempt.amount and (payment.captured or payment.held):
            give_up(payment)
    elif payment.state is State.REQUIRES_PAYMENT_METHOD and not due(payment) and (payment.captured or payment.held):
        rest(payment)


def _settle_difference(payment: Payment, now: datetime) -> None:
    # a refund that failed waits for a person: to promise it again would go on for ever
    failed = sum(each.amount for each in payment.refunds if each.for_change and each.state is RefundState.FAILED)
    if (over := min(-payment.owing - failed, payment.refundable)) > 0:
        plan_refunds(payment, over, "order changed", now, for_change=True)
    elif due(payment) and not any(attempt.wish for attempt in payment.attempts):
        # one thing at a time: what is held is taken or let go before more is asked for
        payment.move(Trigger.MORE_OWED)
        plan_attempt(payment, payment.attempt.method, now, AttemptStatus.PLANNED)


def _give_back_returns(payment: Payment, now: datetime) -> None:
    for key, amount in payment.returns.items():
        if amount and payment.refundable > 0:
            promised = plan_refunds(payment, min(amount, payment.refundable), "goods returned", now)
            payment.returns[key] = amount - sum(each.amount for each in promised)


def attempt_elsewhere(payment: Payment, method: str, now: datetime, failed: frozenset[str]) -> bool:
    """Plan the attempt with a processor that has not *failed* it; tell whether the terms name one."""
    agreed = terms.choose(payment.currency, payment.id, method, failed)
    if agreed.provider in failed:
        return False
    _plan(payment, method, now, AttemptStatus.PLANNED, agreed)
    return True
