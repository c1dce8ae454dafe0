from typing import Final

from apps.chassis.problems import Problem
from apps.payments.domain import CaptureTooLargeError, IllegalTransitionError, PaymentNotFoundError, RefundTooLargeError
from apps.payments.provider import NoticeNotValidError, UnknownProviderError
from apps.payments.reconciling import NotReconciledError

PROBLEMS: Final[dict[type[Exception], Problem]] = {
    PaymentNotFoundError: Problem(404, "payment-not-found"),
    IllegalTransitionError: Problem(409, "illegal-transition"),
    RefundTooLargeError: Problem(409, "refund-too-large"),
    CaptureTooLargeError: Problem(409, "capture-too-large"),
    UnknownProviderError: Problem(404, "provider-not-found"),
    NotReconciledError: Problem(404, "not-reconciled"),
    NoticeNotValidError: Problem(400, "signature-not-valid"),
}
