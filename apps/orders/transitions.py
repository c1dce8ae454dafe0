"""Where each thing that happens leads, axis by axis; what is not listed does not happen.

A wish (cancel, ship, edit) must be listed on every axis; a fact (money came, money went) moves whichever axis lists it.
"""

from typing import Final, TypeVar

from apps.orders.states import FulfilmentStatus as F
from apps.orders.states import OrderStatus as O
from apps.orders.states import PaymentStatus as P
from apps.orders.states import Trigger as T  # noqa: N817  # tables are read by their columns

S = TypeVar("S")
Moves = dict[T, dict[S, S]]


def _stay(*states: S) -> dict[S, S]:
    return {state: state for state in states}


def _by_pair(moves: Moves[S]) -> dict[tuple[S, T], S]:
    return {(before, trigger): after for trigger, listed in moves.items() for before, after in listed.items()}


_CANCEL: Final[dict[O, O]] = {O.PLACED: O.CANCELLED, O.PAID: O.CANCELLED}

ORDER_TRANSITIONS: Final[dict[tuple[O, T], O]] = _by_pair({
    T.PAYMENT_CAPTURED: {O.PLACED: O.PAID},
    T.CUSTOMER_CANCELLED: _CANCEL,
    T.SUPPORT_CANCELLED: _CANCEL,
    T.DEADLINE_PASSED: {O.PLACED: O.EXPIRED},
    T.EDITED: _stay(O.PLACED, O.PAID, O.PARTLY_SHIPPED),
    T.EDITED_TO_OWE: _stay(O.PLACED, O.PAID, O.PARTLY_SHIPPED),
    T.EDITED_TO_COVER: {O.PLACED: O.PAID} | _stay(O.PAID, O.PARTLY_SHIPPED),
    # from placed as well: what is authorised is taken when it is sent
    T.SHIPPED_IN_PART: dict.fromkeys((O.PLACED, O.PAID, O.PARTLY_SHIPPED), O.PARTLY_SHIPPED),
    T.SHIPPED: dict.fromkeys((O.PLACED, O.PAID, O.PARTLY_SHIPPED), O.SHIPPED),
    T.DELIVERED_IN_PART: {O.SHIPPED: O.PARTLY_DELIVERED}
    | _stay(O.PARTLY_SHIPPED, O.PARTLY_DELIVERED, O.PARTLY_RETURNED, O.RETURNED),
    T.DELIVERED: dict.fromkeys((O.PARTLY_SHIPPED, O.SHIPPED, O.PARTLY_DELIVERED), O.DELIVERED)
    | _stay(O.PARTLY_RETURNED, O.RETURNED),
    T.RETURNED_IN_PART: dict.fromkeys(
        (O.SHIPPED, O.PARTLY_DELIVERED, O.DELIVERED, O.PARTLY_RETURNED), O.PARTLY_RETURNED
    ),
    T.RETURNED: dict.fromkeys((O.SHIPPED, O.PARTLY_DELIVERED, O.DELIVERED, O.PARTLY_RETURNED), O.RETURNED),
})  # fmt: skip

_UNPAID: Final = (P.PENDING, P.AUTHORISED, P.DECLINED, P.UNKNOWN)

# Brokers reorder: a refund may overtake the capture that it returns, and then the capture says nothing new here.
# A refund that failed moves nothing, yet is told wherever it meets the order: people learn of it from the timeline.
PAYMENT_TRANSITIONS: Final[dict[tuple[P, T], P]] = _by_pair({
    T.PAYMENT_AUTHORISED: dict.fromkeys((P.PENDING, P.DECLINED, P.UNKNOWN), P.AUTHORISED),
    T.PAYMENT_CAPTURED: dict.fromkeys(_UNPAID, P.CAPTURED),
    T.PAYMENT_FELL_SHORT: dict.fromkeys(_UNPAID, P.PENDING),
    T.PAYMENT_DECLINED: dict.fromkeys(_UNPAID, P.DECLINED),
    T.PAYMENT_VOIDED: {P.DECLINED: P.DECLINED} | dict.fromkeys((P.PENDING, P.AUTHORISED, P.UNKNOWN), P.PENDING),
    T.PAYMENT_UNKNOWN: {P.PENDING: P.UNKNOWN},
    T.PAYMENT_PARTLY_REFUNDED: dict.fromkeys((*_UNPAID, P.CAPTURED, P.PARTLY_REFUNDED), P.PARTLY_REFUNDED),
    T.PAYMENT_REFUNDED: dict.fromkeys((*_UNPAID, P.CAPTURED, P.PARTLY_REFUNDED), P.REFUNDED),
    T.REFUND_NOTED: _stay(P.PENDING, P.DECLINED, P.UNKNOWN),
    T.REFUND_FAILED: _stay(*P),
    # Called off in whatever state the money is: payments hears of it, and voids or returns what there is or will be.
    T.CUSTOMER_CANCELLED: _stay(*P),
    T.SUPPORT_CANCELLED: _stay(*P),
    T.DEADLINE_PASSED: _stay(P.PENDING, P.DECLINED, P.UNKNOWN),
    T.EDITED: _stay(*_UNPAID, P.CAPTURED, P.PARTLY_REFUNDED),
    T.EDITED_TO_OWE: {P.UNKNOWN: P.UNKNOWN}
    | dict.fromkeys((P.PENDING, P.AUTHORISED, P.DECLINED, P.CAPTURED, P.PARTLY_REFUNDED), P.PENDING),
    T.EDITED_TO_COVER: {P.PARTLY_REFUNDED: P.PARTLY_REFUNDED} | dict.fromkeys((*_UNPAID, P.CAPTURED), P.CAPTURED),
    T.SHIPPED_IN_PART: _stay(P.AUTHORISED, P.CAPTURED, P.PARTLY_REFUNDED),
    T.SHIPPED: _stay(P.AUTHORISED, P.CAPTURED, P.PARTLY_REFUNDED),
    T.DELIVERED_IN_PART: _stay(*P),
    T.DELIVERED: _stay(*P),
    T.RETURNED_IN_PART: _stay(*P),
    T.RETURNED: _stay(*P),
})  # fmt: skip

# An order is cancelled as a whole, so only while nothing has been sent; what is not sent yet is taken off by an edit.
FULFILMENT_TRANSITIONS: Final[dict[tuple[F, T], F]] = _by_pair({
    T.CUSTOMER_CANCELLED: _stay(F.UNFULFILLED),
    T.SUPPORT_CANCELLED: _stay(F.UNFULFILLED),
    T.DEADLINE_PASSED: _stay(F.UNFULFILLED),
    T.EDITED: _stay(F.UNFULFILLED, F.PARTLY_SHIPPED),
    T.EDITED_TO_OWE: _stay(F.UNFULFILLED, F.PARTLY_SHIPPED),
    T.EDITED_TO_COVER: _stay(F.UNFULFILLED, F.PARTLY_SHIPPED),
    T.SHIPPED_IN_PART: dict.fromkeys((F.UNFULFILLED, F.PARTLY_SHIPPED), F.PARTLY_SHIPPED),
    T.SHIPPED: dict.fromkeys((F.UNFULFILLED, F.PARTLY_SHIPPED), F.SHIPPED),
    T.DELIVERED_IN_PART: {F.SHIPPED: F.PARTLY_DELIVERED}
    | _stay(F.PARTLY_SHIPPED, F.PARTLY_DELIVERED, F.PARTLY_RETURNED, F.RETURNED),
    T.DELIVERED: dict.fromkeys((F.PARTLY_SHIPPED, F.SHIPPED, F.PARTLY_DELIVERED), F.DELIVERED)
    | _stay(F.PARTLY_RETURNED, F.RETURNED),
    T.RETURNED_IN_PART: dict.fromkeys(
        (F.SHIPPED, F.PARTLY_DELIVERED, F.DELIVERED, F.PARTLY_RETURNED), F.PARTLY_RETURNED
    ),
    T.RETURNED: dict.fromkeys((F.SHIPPED, F.PARTLY_DELIVERED, F.DELIVERED, F.PARTLY_RETURNED), F.RETURNED),
})  # fmt: skip

WHY: Final[dict[O | P | F, str]] = {
    O.SHIPPED: "It has been sent: what comes back is a return.",
    O.PARTLY_DELIVERED: "It has been sent: what comes back is a return.",
    O.DELIVERED: "It has been delivered: what comes back is a return.",
    O.PARTLY_RETURNED: "Some of it has come back already: only more of it can be returned.",
    O.RETURNED: "All of it has come back, which is final; place a new order.",
    O.CANCELLED: "That is final; place a new order.",
    O.EXPIRED: "It was not paid in time and its articles are on sale again; place a new order.",
    P.PENDING: "Its payment is not complete; wait until it is.",
    P.UNKNOWN: "What became of its payment is being found out; wait until that is known.",
    P.DECLINED: "Its payment was refused; pay again with POST /payments, or take lines off.",
    P.REFUNDED: "Its money has gone back; place a new order.",
    P.AUTHORISED: "Its payment is secured.",
    P.CAPTURED: "It has been paid for.",
    P.PARTLY_REFUNDED: "It has been paid for.",
    F.PARTLY_SHIPPED: "Some of it has been sent; take the lines off that were not, with PATCH.",
}
"""By the state that is in the way: the reason, and what to do instead."""
INSTEAD: Final = {
    T.SHIPPED: "Nothing is left to send.",
    T.SHIPPED_IN_PART: "Nothing is left to send.",
    T.DELIVERED: "Nothing of it has been sent.",
    T.DELIVERED_IN_PART: "Nothing of it has been sent.",
    T.RETURNED: "Only what was sent can come back; send the rest, or take it off, before.",
    T.RETURNED_IN_PART: "Only what was sent can come back; send the rest, or take it off, before.",
}
