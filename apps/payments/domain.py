from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a payment stands; `unknown` means that the processor may have acted, and is being asked."""

    PROCESSING = "processing"
    UNKNOWN = "unknown"
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    CONFLICTED = "conflicted"


class Trigger(StrEnum):
    """What can happen to a payment."""

    CAPTURED = "captured"
    DECLINED = "declined"
    ANSWER_LOST = "answer_lost"
    NOT_CHARGED = "not_charged"
    MISMATCHED = "mismatched"
    PAY_AGAIN = "pay_again"
    VOIDED = "voided"


TRANSITIONS: Final = {
    (State.PROCESSING, Trigger.CAPTURED): State.SUCCEEDED,
    (State.PROCESSING, Trigger.DECLINED): State.REQUIRES_PAYMENT_METHOD,
    (State.PROCESSING, Trigger.ANSWER_LOST): State.UNKNOWN,
    (State.PROCESSING, Trigger.NOT_CHARGED): State.PROCESSING,
    (State.PROCESSING, Trigger.MISMATCHED): State.CONFLICTED,
    (State.PROCESSING, Trigger.VOIDED): State.CANCELED,
    (State.UNKNOWN, Trigger.CAPTURED): State.SUCCEEDED,
    (State.UNKNOWN, Trigger.DECLINED): State.REQUIRES_PAYMENT_METHOD,
    (State.UNKNOWN, Trigger.ANSWER_LOST): State.UNKNOWN,
    (State.UNKNOWN, Trigger.NOT_CHARGED): State.PROCESSING,
    (State.UNKNOWN, Trigger.MISMATCHED): State.CONFLICTED,
    (State.UNKNOWN, Trigger.VOIDED): State.CANCELED,
    (State.REQUIRES_PAYMENT_METHOD, Trigger.PAY_AGAIN): State.PROCESSING,
    # an attempt that was given up took the money after all
    (State.REQUIRES_PAYMENT_METHOD, Trigger.MISMATCHED): State.CONFLICTED,
    (State.REQUIRES_PAYMENT_METHOD, Trigger.VOIDED): State.CANCELED,
    (State.SUCCEEDED, Trigger.MISMATCHED): State.CONFLICTED,
    # an answer that overtook the void: the money came after all, and goes back
    (State.CANCELED, Trigger.CAPTURED): State.SUCCEEDED,
    (State.CANCELED, Trigger.MISMATCHED): State.CONFLICTED,
}


class RefundState(StrEnum):
    """Where a refund stands; one that succeeded may still turn out failed."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CONFLICTED = "conflicted"


REFUND_TRANSITIONS: Final = {
    (RefundState.PENDING, RefundState.SUCCEEDED),
    (RefundState.PENDING, RefundState.FAILED),
    (RefundState.PENDING, RefundState.CONFLICTED),
    (RefundState.SUCCEEDED, RefundState.FAILED),
    (RefundState.SUCCEEDED, RefundState.CONFLICTED),
}


class PaymentError(Exception):
    """What was asked of a payment cannot be done."""


class IllegalTransitionError(PaymentError):
    """The payment is not in a state where this can happen."""


class PaymentNotFoundError(PaymentError):
    """There is no such payment, or it is somebody else's."""


class RefundTooLargeError(PaymentError):
    """More would go back than came in."""


def advance(state: State, trigger: Trigger) -> State:
    """Return the state *trigger* leads to, or raise IllegalTransitionError."""
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise IllegalTransitionError(f"A payment that is {state} cannot become {trigger}.") from None
