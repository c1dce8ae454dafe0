from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a payment stands; `unknown` means that the processor may have acted, and is being asked."""

    PROCESSING = "processing"
    UNKNOWN = "unknown"
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_ACTION = "requires_action"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"
    CONFLICTED = "conflicted"


class Trigger(StrEnum):
    """What can happen to a payment."""

    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    CUSTOMER_ASKED = "customer_asked"
    ANSWER_LOST = "answer_lost"
    NOT_CHARGED = "not_charged"
    MISMATCHED = "mismatched"
    PAY_AGAIN = "pay_again"
    MORE_OWED = "more_owed"
    SETTLED = "settled"
    VOIDED = "voided"


_S, _T = State, Trigger
# What the processor can say of an attempt that is under way, however it came to be so.
_ANSWERED: Final[dict[Trigger, State]] = {
    _T.AUTHORISED: _S.REQUIRES_CAPTURE,
    _T.CAPTURED: _S.SUCCEEDED,
    _T.DECLINED: _S.REQUIRES_PAYMENT_METHOD,
    _T.CUSTOMER_ASKED: _S.REQUIRES_ACTION,
    _T.ANSWER_LOST: _S.UNKNOWN,
    _T.MISMATCHED: _S.CONFLICTED,
    _T.VOIDED: _S.CANCELED,
    # nothing more is owed or held, and what was captured stays
    _T.SETTLED: _S.SUCCEEDED,
}
TRANSITIONS: Final[dict[tuple[State, Trigger], State]] = {
    **{(state, trigger): to for state in (_S.PROCESSING, _S.UNKNOWN) for trigger, to in _ANSWERED.items()},
    (_S.PROCESSING, _T.NOT_CHARGED): _S.PROCESSING,
    (_S.UNKNOWN, _T.NOT_CHARGED): _S.PROCESSING,
    # a question that goes unanswered while the customer is at it leaves nothing open that was not
    **{(_S.REQUIRES_ACTION, trigger): to for trigger, to in _ANSWERED.items() if trigger is not _T.ANSWER_LOST},
    **{(_S.REQUIRES_CAPTURE, trigger): to for trigger, to in _ANSWERED.items()},
    (_S.REQUIRES_CAPTURE, _T.MORE_OWED): _S.PROCESSING,
    (_S.REQUIRES_PAYMENT_METHOD, _T.PAY_AGAIN): _S.PROCESSING,
    # the order costs no more than what is held or taken
    (_S.REQUIRES_PAYMENT_METHOD, _T.SETTLED): _S.SUCCEEDED,
    (_S.REQUIRES_PAYMENT_METHOD, _T.AUTHORISED): _S.REQUIRES_CAPTURE,
    # what was held beside a refused difference is taken
    (_S.REQUIRES_PAYMENT_METHOD, _T.CAPTURED): _S.SUCCEEDED,
    # an attempt that was given up took the money after all
    (_S.REQUIRES_PAYMENT_METHOD, _T.MISMATCHED): _S.CONFLICTED,
    (_S.REQUIRES_PAYMENT_METHOD, _T.VOIDED): _S.CANCELED,
    # one amount is taken, another waits for the customer still
    (_S.SUCCEEDED, _T.CUSTOMER_ASKED): _S.REQUIRES_ACTION,
    (_S.SUCCEEDED, _T.MORE_OWED): _S.PROCESSING,
    # one of several amounts is taken, another is still held
    (_S.SUCCEEDED, _T.AUTHORISED): _S.REQUIRES_CAPTURE,
    # one of several amounts is taken, what was held of another ran out
    (_S.SUCCEEDED, _T.DECLINED): _S.REQUIRES_PAYMENT_METHOD,
    (_S.SUCCEEDED, _T.MISMATCHED): _S.CONFLICTED,
    # an answer that overtook the void: the money came after all, and goes back
    (_S.CANCELED, _T.CAPTURED): _S.SUCCEEDED,
    (_S.CANCELED, _T.AUTHORISED): _S.REQUIRES_CAPTURE,
    (_S.CANCELED, _T.MISMATCHED): _S.CONFLICTED,
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


class CaptureTooLargeError(PaymentError):
    """More would be taken than is held."""


def advance(state: State, trigger: Trigger) -> State:
    """Return the state *trigger* leads to, or raise IllegalTransitionError."""
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise IllegalTransitionError(f"A payment that is {state} cannot become {trigger}.") from None
