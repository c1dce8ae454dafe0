"""What notifications listens to: people, their money, their orders, and its own queue."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.events import EventHandlers
from apps.contracts.notifications import OutgoingMarketing, OutgoingMessage, OutgoingOrders, OutgoingSecurity
from apps.contracts.orders import OrderCancelled, OrderPaid
from apps.contracts.payments import PaymentDeclined, PaymentRefunded
from apps.contracts.users import EmailVerificationRequested, SecurityAlert, UserChanged, UserRegistered
from apps.notifications import letters, use_cases
from apps.notifications.intake import Intake

handlers = EventHandlers()
intake = Intake()
"""The one of this process: what its own subscription to the queue brings."""


@handlers.on_batch(UserRegistered)
async def user_registered(events: Sequence[UserRegistered], tx: AsyncSession) -> None:
    """Learn how to reach a new customer."""
    await use_cases.keep_contacts(tx, events)


@handlers.on_batch(UserChanged)
async def user_changed(events: Sequence[UserChanged], tx: AsyncSession) -> None:
    """Learn how to reach a customer from now on."""
    await use_cases.keep_contacts(tx, events)


@handlers.on_batch(EmailVerificationRequested)
async def email_verification_requested(events: Sequence[EmailVerificationRequested], tx: AsyncSession) -> None:
    """Send the code to the address that is to be proven."""
    await use_cases.queue(tx, [letters.verification(event) for event in events], events)


@handlers.on_batch(SecurityAlert)
async def security_alerted(events: Sequence[SecurityAlert], tx: AsyncSession) -> None:
    """Tell the owner of the account."""
    await use_cases.queue(tx, [letters.alert(event) for event in events], events)


@handlers.on_batch(OrderPaid)
async def order_paid(events: Sequence[OrderPaid], tx: AsyncSession) -> None:
    """Confirm the order."""
    await use_cases.queue(tx, [letters.about_order(event, "order-confirmation") for event in events], events)


@handlers.on_batch(OrderCancelled)
async def order_cancelled(events: Sequence[OrderCancelled], tx: AsyncSession) -> None:
    """Confirm the cancellation."""
    await use_cases.queue(tx, [letters.about_order(event, "order-cancelled") for event in events], events)


@handlers.on_batch(PaymentDeclined)
async def payment_declined(events: Sequence[PaymentDeclined], tx: AsyncSession) -> None:
    """Ask for another card."""
    await use_cases.queue(tx, [letters.about_payment(event, "payment-declined") for event in events], events)


@handlers.on_batch(PaymentRefunded)
async def payment_refunded(events: Sequence[PaymentRefunded], tx: AsyncSession) -> None:
    """Say that the money is on its way back."""
    await use_cases.queue(tx, [letters.about_payment(event, "refund") for event in events], events)


def _bring(events: Sequence[OutgoingMessage]) -> None:
    """Claiming a message settles that it is sent once, so that what brings it need not be remembered."""
    intake.bring(event.message_id for event in events)


handlers.on_hint(OutgoingSecurity)(_bring)
handlers.on_hint(OutgoingOrders)(_bring)
handlers.on_hint(OutgoingMarketing)(_bring)
