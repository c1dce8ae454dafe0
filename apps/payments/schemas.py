from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

from apps.chassis.card_numbers import holds_card_number
from apps.contracts.base import Money
from apps.payments.declines import ADVICE
from apps.payments.domain import RefundState, State
from apps.payments.payment import Attempt, AttemptStatus, Payment, Refund


def _no_card(text: str) -> str:
    if holds_card_number(text):
        raise ValueError("looks like a card number; send the processor's token for the card instead")
    return text


Method = Annotated[str, Field(min_length=3, max_length=200, pattern=r"^[A-Za-z0-9_-]+$"), AfterValidator(_no_card)]
"""A processor's token, or one of each that the payment may go to, joined by `-`."""
FreeText = Annotated[str, Field(max_length=500), AfterValidator(_no_card)]


class PayAgain(BaseModel):
    """Try another payment method; the amount comes from orders."""

    model_config = ConfigDict(extra="forbid")

    order_id: UUID
    payment_method: Method


class AskCapture(BaseModel):
    """Take all that the order costs, or *amount*: as money, or in the payment's currency as a bare number."""

    model_config = ConfigDict(extra="forbid")

    amount: Money | PositiveInt | None = None


class AskRefund(BaseModel):
    """Give back all that is left, or *amount*: as money, or in the payment's currency as a bare number."""

    model_config = ConfigDict(extra="forbid")

    amount: Money | PositiveInt | None = None
    reason: FreeText | None = None


class MethodView(BaseModel):
    """As much of a card as may be shown."""

    brand: str | None
    last4: str | None


class NextAction(BaseModel):
    """Where the customer confirms the payment to the bank."""

    type: Literal["redirect"] = "redirect"
    url: str


class AttemptView(BaseModel):
    """One try to charge."""

    at: datetime
    status: str
    decline_code: str | None
    advice: str | None
    amount: Money
    captured: Money
    method: MethodView
    next_action: NextAction | None

    @classmethod
    def of(cls, payment: Payment, attempt: Attempt) -> "AttemptView":
        """Show an attempt."""
        url = attempt.action_url if attempt.status is AttemptStatus.REQUIRES_ACTION else None
        return cls(
            at=attempt.planned_at,
            status=attempt.status,
            decline_code=attempt.decline_code,
            advice=ADVICE[attempt.decline_code] if attempt.decline_code else None,
            amount=payment.money(payment.amount if attempt.amount is None else attempt.amount),
            captured=payment.money(attempt.captured),
            method=MethodView(brand=attempt.brand, last4=attempt.last4),
            next_action=NextAction(url=url) if url else None,
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
    authorised: Money
    captured: Money
    refunded: Money
    next_action: NextAction | None
    attempts: list[AttemptView]
    refunds: list[RefundView]

    @classmethod
    def of(cls, payment: Payment) -> "PaymentView":
        """Show a payment."""
        attempts = [AttemptView.of(payment, attempt) for attempt in payment.attempts]
        return cls(
            id=payment.id,
            order_id=payment.order_id,
            status=payment.state,
            amount=payment.money(payment.amount),
            authorised=payment.money(payment.held),
            captured=payment.money(payment.captured),
            refunded=payment.money(payment.refunded),
            next_action=attempts[-1].next_action if attempts else None,
            attempts=attempts,
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
    authorised: Money
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
            authorised=payment.money(payment.held),
            refunded=payment.money(payment.refunded),
            decline_code=code,
            advice=ADVICE[code] if code else None,
        )
