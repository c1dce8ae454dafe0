from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from apps.contracts.base import Event, Money


class PaymentFact(Event):
    """Something that happened to the payment of an order."""

    aggregate: ClassVar = "payment_id"

    payment_id: UUID
    order_id: UUID
    order_number: str | None = None
    """What people call the order, where payments has heard it."""
    customer_id: UUID


class PaymentCaptured(PaymentFact):
    """The processor took the money."""

    topic: ClassVar = "payment-captured"

    amount: Money
    captured_at: AwareDatetime


class PaymentDeclined(PaymentFact):
    """The processor or the issuer said no; another method may do."""

    topic: ClassVar = "payment-declined"

    decline_code: str
    advice: str
    declined_at: AwareDatetime


class PaymentRefunded(PaymentFact):
    """Money went back; `refunded` is the sum of all refunds so far."""

    topic: ClassVar = "payment-refunded"

    refund_id: UUID
    amount: Money
    refunded: Money
    refunded_at: AwareDatetime


class RefundFailed(PaymentFact):
    """The processor could not return the money; a person has to look."""

    topic: ClassVar = "refund-failed"

    refund_id: UUID
    amount: Money
    failed_at: AwareDatetime
