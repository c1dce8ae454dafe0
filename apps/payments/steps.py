"""What a payment needs next; the worker does it, and nothing here knows how."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from apps.contracts.base import Money
from apps.payments.domain import RefundState, State
from apps.payments.payment import REPEAT_FOR, Attempt, AttemptStatus, Payment, Refund, Wish
from apps.payments.provider import (
    Accepted,
    ActionRequired,
    Busy,
    Charge,
    ChargeOutcome,
    Lost,
    Missing,
    RefundOutcome,
    Return,
    Returned,
)

# Processors forget idempotency keys after a day; from here on repeating a refund is preceded by a question.
KEY_LIFETIME: Final = timedelta(hours=20)
# So long an attempt of which no answer was lost may have waited: the shortest life of such a key is an hour.
_WAITED_FOR: Final = timedelta(minutes=30)
# With their pauses these reach over a minute.
_REPEATS: Final = 6
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 300.0
_BUSY_PAUSE_S: Final = 1.0
# A processor's search runs a minute or so behind its webhooks; with the pauses these reach over four.
_SEARCHES: Final = 9
# What the processor may change by itself, or may have made all the same.
_LOOKED_UP: Final = (AttemptStatus.VOIDED, AttemptStatus.AUTHORISED, AttemptStatus.REQUIRES_ACTION)


@dataclass(frozen=True, slots=True)
class Price:
    """Ask orders how much the order costs now."""

    order_id: UUID


@dataclass(frozen=True, slots=True)
class Take:
    """Charge, or with `ask` find out whether it happened."""

    charge: Charge
    ask: bool = False


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Refund, or with `ask` find out what became of it."""

    refund: Return
    ask: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """Capture `amount` of what is held, or let it go where there is none."""

    charge: Charge
    amount: int | None


Step = Price | Take | Finish | GiveBack
Answer = ChargeOutcome | RefundOutcome | Money


def next_steps(payment: Payment, now: datetime, *, tries: int = 1) -> list[Step]:
    """Return what is to be done now; *tries* counts how often that was begun, this time included.

    A payment with nothing pending is looked up as a whole, attempts that were given up included: somebody, such as the
    processor's webhook, asked for that.
    """
    if payment.state is State.CONFLICTED:
        return _look_up(payment)
    if attempt := payment.open_attempt():
        if attempt.status is AttemptStatus.UNPRICED:
            return [Price(payment.order_id)]
        # one that has a name at the processor is there: to repeat it would only bring its first answer again
        known = payment.cancelled or attempt.provider_id is not None
        return [Take(charge_of(payment, attempt), ask=known or _is_open(attempt, now, tries))]
    wishes = [each for each in payment.attempts if each.wish]
    if wishes:
        return [Finish(charge_of(payment, each), _wanted(each)) for each in wishes]
    pending = next((each for each in payment.refunds if each.state is RefundState.PENDING), None)
    if pending:
        stale = now - pending.planned_at > KEY_LIFETIME
        return [GiveBack(_return(payment, pending), ask=pending.provider_id is not None or (tries > 1 and stale))]
    return _look_up(payment)


def _look_up(payment: Payment) -> list[Step]:
    asked = [each for each in payment.attempts if each.status in _LOOKED_UP]
    return [
        *(Take(charge_of(payment, each), ask=True) for each in asked),
        *(GiveBack(_return(payment, each), ask=True) for each in payment.refunds if each.provider_id),
    ]


def _wanted(attempt: Attempt) -> int | None:
    return attempt.wanted if attempt.wish is Wish.CAPTURE else None


def is_pending(payment: Payment) -> bool:
    """Tell whether the worker still has something to do."""
    if payment.state is State.CONFLICTED:
        return False
    return (
        payment.open_attempt() is not None
        or any(attempt.wish for attempt in payment.attempts)
        or any(refund.state is RefundState.PENDING for refund in payment.refunds)
    )


def has_work(payment: Payment) -> bool:
    """Tell whether the worker has something to do or to ask."""
    return is_pending(payment) or awaits_customer(payment)


def awaits_customer(payment: Payment) -> bool:
    """Tell whether an attempt waits for its customer: should the webhook be lost, the processor is asked."""
    waiting = AttemptStatus.REQUIRES_ACTION
    return payment.state is not State.CONFLICTED and any(each.status is waiting for each in payment.attempts)


def pause(outcome: ChargeOutcome | RefundOutcome | None, tries: int) -> timedelta:
    """Return how long to leave a pending payment alone after *outcome*, the longer the more often it was tried."""
    jitter = random.uniform(0.75, 1.25)  # noqa: S311  # spreads load, guards nothing
    if isinstance(outcome, Busy):
        return (outcome.after or timedelta(seconds=_BUSY_PAUSE_S)) * max(jitter, 1.0)
    waits = isinstance(outcome, Returned) and outcome.state is RefundState.PENDING
    if waits or isinstance(outcome, Lost | Missing | ActionRequired | Accepted):
        return timedelta(seconds=min(_FIRST_PAUSE_S * 2 ** min(tries - 1, 10), _LONGEST_PAUSE_S) * jitter)
    return timedelta()


def _is_open(attempt: Attempt, now: datetime, tries: int) -> bool:
    """Tell whether an attempt that may have been made is too old to be repeated under its reference.

    One of which no answer was lost, as far as is known, waited for a processor that was busy or for a worker.
    """
    if attempt.open_since is not None:
        # behind a backlog a minute passes with few tries, and repeating settles what asking leaves open for minutes
        passed = now - attempt.open_since
        return passed > REPEAT_FOR and (tries > _REPEATS or passed > _WAITED_FOR)
    return tries > 1 and now - attempt.planned_at > _WAITED_FOR


def look_again(outcomes: Sequence[Answer], tries: int) -> timedelta | None:
    """Return when to look up a payment at rest once more, or None where all that was asked is answered."""
    missing = Missing() if Missing() in outcomes and tries < _SEARCHES else None
    unanswered = next((each for each in outcomes if isinstance(each, Lost | Busy | ActionRequired | Accepted)), missing)
    return pause(unanswered, tries) if unanswered else None


def charge_of(payment: Payment, attempt: Attempt) -> Charge:
    """Return an attempt as it is put to the processor."""
    return Charge(
        payment.id,
        payment.order_id,
        attempt.reference,
        attempt.amount or payment.amount,
        payment.currency,
        attempt.method,
        attempt.provider_id,
        attempt.provider,
        attempt.manual,
    )


def _return(payment: Payment, refund: Refund) -> Return:
    charged = payment.charged_by(refund)
    return Return(
        payment.id,
        refund.id,
        refund.reference,
        refund.amount,
        payment.currency,
        charged.provider_id or "",
        refund.provider_id,
        charged.provider,
    )
