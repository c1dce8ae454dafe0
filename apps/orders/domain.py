"""What an order may become: three axes, each a literal table of what was, what happened and what is."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID


class OrderStatus(StrEnum):
    """Where the order as a whole is."""

    PLACED = "placed"
    PAID = "paid"
    CANCELLED = "cancelled"


class PaymentStatus(StrEnum):
    """What is known of the money."""

    PENDING = "pending"
    DECLINED = "declined"
    CAPTURED = "captured"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"


class FulfilmentStatus(StrEnum):
    """What has left the house."""

    UNFULFILLED = "unfulfilled"


class Trigger(StrEnum):
    """What happened."""

    PAYMENT_CAPTURED = "payment_captured"
    PAYMENT_DECLINED = "payment_declined"
    PAYMENT_PARTLY_REFUNDED = "payment_partly_refunded"
    PAYMENT_REFUNDED = "payment_refunded"
    REFUND_FAILED = "refund_failed"
    CUSTOMER_CANCELLED = "customer_cancelled"
    SUPPORT_CANCELLED = "support_cancelled"


PLACED_TRIGGER: Final = "order_placed"
"""Begins every timeline; it leads from nowhere, so no table lists it."""

ORDER_TRANSITIONS: Final = {
    (OrderStatus.PLACED, Trigger.PAYMENT_CAPTURED): OrderStatus.PAID,
    (OrderStatus.PLACED, Trigger.CUSTOMER_CANCELLED): OrderStatus.CANCELLED,
    (OrderStatus.PLACED, Trigger.SUPPORT_CANCELLED): OrderStatus.CANCELLED,
    (OrderStatus.PAID, Trigger.CUSTOMER_CANCELLED): OrderStatus.CANCELLED,
    (OrderStatus.PAID, Trigger.SUPPORT_CANCELLED): OrderStatus.CANCELLED,
}

# Brokers reorder: a refund may overtake the capture that it returns, and then the capture says nothing new here.
# A refund that failed moves nothing, yet is told wherever it meets the order: people learn of it from the timeline.
PAYMENT_TRANSITIONS: Final = {
    (PaymentStatus.PENDING, Trigger.PAYMENT_CAPTURED): PaymentStatus.CAPTURED,
    (PaymentStatus.PENDING, Trigger.PAYMENT_DECLINED): PaymentStatus.DECLINED,
    (PaymentStatus.PENDING, Trigger.PAYMENT_PARTLY_REFUNDED): PaymentStatus.PARTLY_REFUNDED,
    (PaymentStatus.PENDING, Trigger.PAYMENT_REFUNDED): PaymentStatus.REFUNDED,
    (PaymentStatus.PENDING, Trigger.REFUND_FAILED): PaymentStatus.PENDING,
    (PaymentStatus.DECLINED, Trigger.PAYMENT_CAPTURED): PaymentStatus.CAPTURED,
    (PaymentStatus.DECLINED, Trigger.PAYMENT_DECLINED): PaymentStatus.DECLINED,
    (PaymentStatus.DECLINED, Trigger.PAYMENT_PARTLY_REFUNDED): PaymentStatus.PARTLY_REFUNDED,
    (PaymentStatus.DECLINED, Trigger.PAYMENT_REFUNDED): PaymentStatus.REFUNDED,
    (PaymentStatus.DECLINED, Trigger.REFUND_FAILED): PaymentStatus.DECLINED,
    (PaymentStatus.CAPTURED, Trigger.PAYMENT_PARTLY_REFUNDED): PaymentStatus.PARTLY_REFUNDED,
    (PaymentStatus.CAPTURED, Trigger.PAYMENT_REFUNDED): PaymentStatus.REFUNDED,
    (PaymentStatus.CAPTURED, Trigger.REFUND_FAILED): PaymentStatus.CAPTURED,
    (PaymentStatus.PARTLY_REFUNDED, Trigger.PAYMENT_PARTLY_REFUNDED): PaymentStatus.PARTLY_REFUNDED,
    (PaymentStatus.PARTLY_REFUNDED, Trigger.PAYMENT_REFUNDED): PaymentStatus.REFUNDED,
    (PaymentStatus.PARTLY_REFUNDED, Trigger.REFUND_FAILED): PaymentStatus.PARTLY_REFUNDED,
    (PaymentStatus.REFUNDED, Trigger.REFUND_FAILED): PaymentStatus.REFUNDED,
}

# An order is cancelled as a whole, so only while nothing has been sent.
FULFILMENT_TRANSITIONS: Final = {
    (FulfilmentStatus.UNFULFILLED, Trigger.CUSTOMER_CANCELLED): FulfilmentStatus.UNFULFILLED,
    (FulfilmentStatus.UNFULFILLED, Trigger.SUPPORT_CANCELLED): FulfilmentStatus.UNFULFILLED,
}


class IllegalTransitionError(Exception):
    """What was asked for is not possible from where the order is."""

    def __init__(self, standing: "Standing", trigger: Trigger) -> None:
        super().__init__(f"An order that is {standing.order} does not take {trigger}.")


class OrderNotFoundError(Exception):
    """There is no such order, or it is another's, which is told the same."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"There is no order {order_id}.")


class ForeignOrdersError(Exception):
    """A customer asked for the orders of another."""

    def __init__(self) -> None:
        super().__init__("Orders of others are listed for support and staff only.")


class ProductNotFoundError(Exception):
    """The price list has no such article."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"There is no product {sku}.")


class LinesRefusedError(Exception):
    """Lines that cannot be ordered; `pointers` say which."""

    def __init__(self, pointers: Iterable[tuple[str, str]]) -> None:
        super().__init__("Some lines cannot be ordered.")
        self.pointers = [{"pointer": pointer, "detail": detail} for pointer, detail in pointers]


class OutOfStockError(Exception):
    """Less is there than was asked for."""

    def __init__(self, skus: Iterable[str]) -> None:
        super().__init__(f"Not enough in stock: {', '.join(skus)}.")


class StockNotChangedError(Exception):
    """The stock cannot take the change."""


class AmountDiffersError(Exception):
    """What was captured is not what the order costs; a person has to look."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order is on its three axes."""

    order: OrderStatus
    payment: PaymentStatus
    fulfilment: FulfilmentStatus


NEW: Final = Standing(OrderStatus.PLACED, PaymentStatus.PENDING, FulfilmentStatus.UNFULFILLED)


def advance(standing: Standing, trigger: Trigger) -> Standing:
    """Return where a wish leads, or raise IllegalTransitionError: order and fulfilment must both allow it."""
    order = ORDER_TRANSITIONS.get((standing.order, trigger))
    fulfilment = FULFILMENT_TRANSITIONS.get((standing.fulfilment, trigger))
    if order is None or fulfilment is None:
        raise IllegalTransitionError(standing, trigger)
    return replace(standing, order=order, fulfilment=fulfilment)


def settle(standing: Standing, trigger: Trigger) -> Standing | None:
    """Return where a fact leads; None where it comes too late to say anything new."""
    order = ORDER_TRANSITIONS.get((standing.order, trigger))
    payment = PAYMENT_TRANSITIONS.get((standing.payment, trigger))
    if order is None and payment is None:
        return None
    return replace(standing, order=order or standing.order, payment=payment or standing.payment)


def allowed(standing: Standing) -> list[str]:
    """Return the statuses the order can come to next."""
    return sorted({after for (before, _), after in ORDER_TRANSITIONS.items() if before is standing.order})


# No I, L, O and U: a number is read aloud on the telephone.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_BITS: Final = 60


def number(chance: int) -> str:
    """Spell 60 random bits for people; two alike among ten million orders are a chance of 1 in 20,000."""
    letters = "".join(_ALPHABET[chance >> shift & 31] for shift in range(NUMBER_BITS - 5, -1, -5))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"
