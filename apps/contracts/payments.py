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


class PaymentAuthorised(PaymentFact):
    """The issuer holds `amount` for us; nothing has been taken yet."""

    topic: ClassVar = "payment-authorised"

    amount: Money
    authorised_at: AwareDatetime


class PaymentCaptured(PaymentFact):
    """The processor took `amount`; `captured` is the sum of all captures so far, `amount` where it is absent."""

    topic: ClassVar = "payment-captured"

    amount: Money
    captured: Money | None = None
    captured_at: AwareDatetime


class PaymentDeclined(PaymentFact):
    """The processor or the issuer said no; another method may do."""

    topic: ClassVar = "payment-declined"

    decline_code: str
    advice: str
    captured: Money | None = None
    """What is captured all the same: more than nothing where only the difference to a changed order was refused."""
    declined_at: AwareDatetime


class PaymentVoided(PaymentFact):
    """What was held is free again; nothing was taken."""

    topic: ClassVar = "payment-voided"

    amount: Money
    voided_at: AwareDatetime


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
