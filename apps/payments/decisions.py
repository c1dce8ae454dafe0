"""What orders and people wish of a payment; pure. What it comes to is `planning`'s, what was answered `outcomes`'."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from apps.contracts.base import Money
from apps.contracts.orders import OrderPlaced
from apps.payments import planning
from apps.payments.domain import CaptureTooLargeError, IllegalTransitionError, RefundTooLargeError, State, Trigger
from apps.payments.payment import AttemptStatus, Payment, Refund

NOBODY = UUID(int=0)
"""Stands for a person who was forgotten."""


def claim(placed: OrderPlaced, now: datetime) -> Payment:
    """Return the payment that *placed* asks for, its first attempt ready to be made."""
    payment = early(placed.order_id, placed.customer_id, placed.total)
    begin(payment, placed, now)
    return payment


def early(order_id: UUID, customer_id: UUID, total: Money) -> Payment:
    """Return the payment of an order whose placing was not heard of yet: it keeps what was, and waits."""
    return Payment(uuid7(), order_id, customer_id, total.amount, total.currency)


def begin(payment: Payment, placed: OrderPlaced, now: datetime) -> bool:
    """Make the first attempt ready, unless there is one or the order is gone; tell whether that was done."""
    if payment.attempts or payment.cancelled:
        return False
    payment.order_number = placed.number
    cost(payment, placed.total, placed.sequence)
    planning.plan_attempt(payment, placed.payment_method, now, AttemptStatus.PLANNED)
    return True


def cost(payment: Payment, total: Money, sequence: int) -> None:
    """Take in what an order costs, if nothing newer is known."""
    if sequence > payment.order_sequence and total.currency == payment.currency:
        payment.amount, payment.order_sequence = total.amount, sequence


def change(payment: Payment, total: Money, sequence: int, now: datetime, *, called: bool) -> None:
    """Charge or give back the difference to what the order costs by its newest fact."""
    cost(payment, total, sequence)
    planning.settle(payment, now, called=called)


def cancel(payment: Payment, now: datetime, *, called: bool) -> None:
    """Stop what was not begun, and give back what was taken; *called* means the processor may have been asked."""
    if payment.cancelled:
        return
    payment.cancelled = True
    if not payment.attempts:
        payment.move(Trigger.VOIDED)
    planning.settle(payment, now, called=called)
    if payment.state is not State.CONFLICTED:
        planning.return_all(payment, now)


def ship(payment: Payment, now: datetime) -> None:
    """Have what is only held taken: goods left."""
    payment.shipped = True
    planning.settle(payment, now)


def give_back(payment: Payment, return_id: UUID, refund: Money, now: datetime) -> None:
    """Promise what goods that came back were worth, once for each return and never above what was captured."""
    if str(return_id) in payment.returns:
        return
    if refund.currency != payment.currency:
        raise RefundTooLargeError(f"This payment was made in {payment.currency}.")
    payment.returns[str(return_id)] = refund.amount
    planning.settle(payment, now)


def pay_again(payment: Payment, method: str, now: datetime) -> None:
    """Plan another attempt; orders is asked for the amount before it is made."""
    payment.move(Trigger.PAY_AGAIN)
    planning.plan_attempt(payment, method, now, AttemptStatus.UNPRICED)


def priced(payment: Payment, total: Money) -> None:
    """Take the amount from orders; nothing has been asked of the processor for this attempt."""
    if payment.attempt.status is not AttemptStatus.UNPRICED:
        return
    payment.amount, payment.currency = total.amount, total.currency
    payment.attempt.amount = planning.due(payment)
    payment.attempt.status = AttemptStatus.PLANNED
    if not payment.attempt.amount and (payment.captured or payment.held):
        planning.give_up(payment)


def ask_capture(payment: Payment, amount: Money | None) -> None:
    """Have *amount* of what is held taken, or all that the order costs; the rest is let go."""
    if payment.state is not State.REQUIRES_CAPTURE or any(each.wish for each in payment.attempts):
        raise IllegalTransitionError(f"A payment that is {payment.state} holds nothing that waits to be captured.")
    most = min(payment.held, max(payment.owing, 0))
    wanted = amount or payment.money(most)
    if wanted.currency != payment.currency:
        raise CaptureTooLargeError(f"This payment was made in {payment.currency}.")
    if not 0 < wanted.amount <= most:
        raise CaptureTooLargeError(f"At most {most} {payment.currency} can be captured.")
    payment.waived += most - wanted.amount
    planning.wish_capture(payment, wanted.amount)


def ask_void(payment: Payment) -> None:
    """Have what is held, or what waits for the customer, let go."""
    waiting = (State.REQUIRES_CAPTURE, State.REQUIRES_ACTION)
    if payment.state not in waiting or any(each.wish for each in payment.attempts):
        raise IllegalTransitionError(f"A payment that is {payment.state} holds nothing that could be let go.")
    payment.waived += max(payment.owing, 0)
    planning.wish_void(payment)


def ask_refund(payment: Payment, amount: Money | None, reason: str | None, now: datetime) -> list[Refund]:
    """Promise to give *amount* back, or all that is left; never more than was captured."""
    if not payment.captured or payment.state is State.CONFLICTED:
        raise IllegalTransitionError(f"A payment that is {payment.state} has nothing to give back.")
    wanted = amount or payment.money(payment.refundable)
    if wanted.currency != payment.currency:
        raise RefundTooLargeError(f"This payment was made in {payment.currency}.")
    if not 0 < wanted.amount <= payment.refundable:
        raise RefundTooLargeError(f"At most {payment.refundable} {payment.currency} can go back.")
    return planning.plan_refunds(payment, wanted.amount, reason, now)


def forget_person(payment: Payment) -> None:
    """Drop what says whose payment this is; what it came to is money's, and stays."""
    payment.customer_id, payment.order_number = NOBODY, None
    for attempt in payment.attempts:
        attempt.brand = attempt.last4 = attempt.action_url = None
        attempt.method = ""
    for refund in payment.refunds:
        refund.reason = None
