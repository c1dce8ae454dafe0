from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

from apps.contracts.base import Money
from apps.payments.card_numbers import refuse_card_numbers
from apps.payments.declines import ADVICE
from apps.payments.domain import RefundState, State
from apps.payments.payment import Attempt, Payment, Refund

Method = Annotated[
    str, Field(min_length=3, max_length=100, pattern=r"^[A-Za-z0-9_-]+$"), AfterValidator(refuse_card_numbers)
]
FreeText = Annotated[str, Field(max_length=500), AfterValidator(refuse_card_numbers)]


class PayAgain(BaseModel):
    """Try another payment method; the amount comes from orders."""

    model_config = ConfigDict(extra="forbid")

    order_id: UUID
    payment_method: Method


class AskRefund(BaseModel):
    """Give back all that is left, or *amount*: as money, or in the payment's currency as a bare number."""

    model_config = ConfigDict(extra="forbid")

    amount: Money | PositiveInt | None = None
    reason: FreeText | None = None


class MethodView(BaseModel):
    """As much of a card as may be shown."""

    brand: str | None
    last4: str | None


class AttemptView(BaseModel):
    """One try to charge."""

    at: datetime
    status: str
    decline_code: str | None
    advice: str | None
    method: MethodView

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptView":
        """Show an attempt."""
        return cls(
            at=attempt.planned_at,
            status=attempt.status,
            decline_code=attempt.decline_code,
            advice=ADVICE[attempt.decline_code] if attempt.decline_code else None,
            method=MethodView(brand=attempt.brand, last4=attempt.last4),
        )


class RefundView(BaseModel):
    """Money on its way back."""

    id: UUID
    at: datetime
    status: RefundState
    amount: Money
    reason: str | None

    @classmethod
    def of(cls, payment: Payment, refund: Refund) -> "RefundView":
        """Show a refund."""
        amount = payment.money(refund.amount)
        return cls(id=refund.id, at=refund.planned_at, status=refund.state, amount=amount, reason=refund.reason)


class PaymentView(BaseModel):
    """A payment as its owner sees it."""

    id: UUID
    order_id: UUID
    status: State
    amount: Money
    captured: Money
    refunded: Money
    attempts: list[AttemptView]
    refunds: list[RefundView]

    @classmethod
    def of(cls, payment: Payment) -> "PaymentView":
        """Show a payment."""
        return cls(
            id=payment.id,
            order_id=payment.order_id,
            status=payment.state,
            amount=payment.money(payment.amount),
            captured=payment.money(payment.captured),
            refunded=payment.money(payment.refunded),
            attempts=[AttemptView.of(attempt) for attempt in payment.attempts],
            refunds=[RefundView.of(payment, refund) for refund in payment.refunds],
        )


class PaymentPage(BaseModel):
    """Payments; an order has one at most, so there is never a next page."""

    items: list[PaymentView]
    next: None = None


class StateView(BaseModel):
    """What orders asks when it has heard nothing; `sequence` is that of the newest fact."""

    payment_id: UUID
    order_id: UUID
    status: State
    sequence: int
    amount: Money
    captured: Money
    refunded: Money
    decline_code: str | None
    advice: str | None

    @classmethod
    def of(cls, payment: Payment) -> "StateView":
        """Show where a payment stands."""
        code = payment.attempt.decline_code if payment.attempts else None
        return cls(
            payment_id=payment.id,
            order_id=payment.order_id,
            status=payment.state,
            sequence=payment.sequence,
            amount=payment.money(payment.amount),
            captured=payment.money(payment.captured),
            refunded=payment.money(payment.refunded),
            decline_code=code,
            advice=ADVICE[code] if code else None,
        )
