"""The words of orders: where one is on its three axes, and what may happen to it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class OrderStatus(StrEnum):
    """Where the order as a whole is."""

    PLACED = "placed"
    PAID = "paid"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    PARTLY_DELIVERED = "partly_delivered"
    DELIVERED = "delivered"
    PARTLY_RETURNED = "partly_returned"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PaymentStatus(StrEnum):
    """What is known of the money; `pending` is also what a dearer order waits for."""

    PENDING = "pending"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    DECLINED = "declined"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    UNKNOWN = "unknown"


class FulfilmentStatus(StrEnum):
    """What has left the house, and what has come back."""

    UNFULFILLED = "unfulfilled"
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    PARTLY_DELIVERED = "partly_delivered"
    DELIVERED = "delivered"
    PARTLY_RETURNED = "partly_returned"
    RETURNED = "returned"


class Trigger(StrEnum):
    """What happened."""

    PAYMENT_AUTHORISED = "payment_authorised"
    PAYMENT_CAPTURED = "payment_captured"
    PAYMENT_FELL_SHORT = "payment_fell_short"
    """Money came, and less of it than the order costs."""
    PAYMENT_DECLINED = "payment_declined"
    PAYMENT_VOIDED = "payment_voided"
    PAYMENT_UNKNOWN = "payment_unknown"
    PAYMENT_PARTLY_REFUNDED = "payment_partly_refunded"
    PAYMENT_REFUNDED = "payment_refunded"
    REFUND_NOTED = "refund_noted"
    """Money went back to an order that still owes some: what it owes matters more."""
    REFUND_FAILED = "refund_failed"
    CUSTOMER_CANCELLED = "customer_cancelled"
    SUPPORT_CANCELLED = "support_cancelled"
    DEADLINE_PASSED = "deadline_passed"
    EDITED = "edited"
    EDITED_TO_OWE = "edited_to_owe"
    EDITED_TO_COVER = "edited_to_cover"
    SHIPPED_IN_PART = "shipped_in_part"
    SHIPPED = "shipped"
    DELIVERED_IN_PART = "delivered_in_part"
    DELIVERED = "delivered"
    RETURNED_IN_PART = "returned_in_part"
    RETURNED = "returned"


PLACED_TRIGGER: Final = "order_placed"
"""Begins every timeline; it leads from nowhere, so no table lists it."""
ERASED_TRIGGER: Final = "personal_data_erased"
"""Moves nothing, and no order forbids it."""

FACTS: Final = frozenset({
    Trigger.PAYMENT_AUTHORISED, Trigger.PAYMENT_CAPTURED, Trigger.PAYMENT_FELL_SHORT, Trigger.PAYMENT_DECLINED,
    Trigger.PAYMENT_VOIDED, Trigger.PAYMENT_UNKNOWN, Trigger.PAYMENT_PARTLY_REFUNDED, Trigger.PAYMENT_REFUNDED,
    Trigger.REFUND_NOTED, Trigger.REFUND_FAILED,
})  # fmt: skip
CANCELS: Final = frozenset({Trigger.CUSTOMER_CANCELLED, Trigger.SUPPORT_CANCELLED})
SHIPS: Final = frozenset({Trigger.SHIPPED_IN_PART, Trigger.SHIPPED})
EDITS: Final = frozenset({Trigger.EDITED, Trigger.EDITED_TO_OWE, Trigger.EDITED_TO_COVER})
RETURNS: Final = frozenset({Trigger.RETURNED_IN_PART, Trigger.RETURNED})
FINAL: Final = frozenset({OrderStatus.RETURNED, OrderStatus.CANCELLED, OrderStatus.EXPIRED})
LEFT: Final = frozenset({OrderStatus.CANCELLED, OrderStatus.EXPIRED})
"""Statuses in which an order holds no stock and is owed nothing."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an order is on its three axes."""

    order: OrderStatus
    payment: PaymentStatus
    fulfilment: FulfilmentStatus


NEW: Final = Standing(OrderStatus.PLACED, PaymentStatus.PENDING, FulfilmentStatus.UNFULFILLED)
