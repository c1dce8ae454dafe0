"""What notifications listens to: people, their money, their orders, and its own queue."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.events import EventHandlers
from apps.contracts.notifications import OutgoingMarketing, OutgoingMessage, OutgoingOrders, OutgoingSecurity
from apps.contracts.orders import (
    OrderCancelled,
    OrderChanged,
    OrderDelivered,
    OrderExpired,
    OrderPaid,
    OrderReturned,
    OrderShipped,
)
from apps.contracts.payments import PaymentDeclined, PaymentRefunded
from apps.contracts.users import (
    EmailVerificationRequested,
    PasswordResetRequested,
    SecurityAlert,
    UserChanged,
    UserErased,
    UserRegistered,
)
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


@handlers.on_batch(UserErased)
async def user_erased(events: Sequence[UserErased], tx: AsyncSession) -> None:
    """Forget a person: contact, preferences and every message."""
    await use_cases.forget(tx, events)


@handlers.on_batch(EmailVerificationRequested)
async def email_verification_requested(events: Sequence[EmailVerificationRequested], tx: AsyncSession) -> None:
    """Send the code to the address that is to be proven."""
    await use_cases.queue(tx, [letters.code(event, "verify-email") for event in events], events)


@handlers.on_batch(PasswordResetRequested)
async def password_reset_requested(events: Sequence[PasswordResetRequested], tx: AsyncSession) -> None:
    """Send the code by which a forgotten password is replaced."""
    await use_cases.queue(tx, [letters.code(event, "password-reset") for event in events], events)


@handlers.on_batch(SecurityAlert)
async def security_alerted(events: Sequence[SecurityAlert], tx: AsyncSession) -> None:
    """Tell the owner of the account."""
    await use_cases.queue(tx, [letters.alert(event) for event in events], events)


@handlers.on_batch(OrderPaid)
async def order_paid(events: Sequence[OrderPaid], tx: AsyncSession) -> None:
    """Confirm the order."""
    await use_cases.queue(tx, [letters.about_order(event, "order-confirmation") for event in events], events)


@handlers.on_batch(OrderChanged)
async def order_changed(events: Sequence[OrderChanged], tx: AsyncSession) -> None:
    """Say what the order is now."""
    await use_cases.queue(tx, [letters.about_order(event, "order-changed") for event in events], events)


@handlers.on_batch(OrderCancelled)
async def order_cancelled(events: Sequence[OrderCancelled], tx: AsyncSession) -> None:
    """Confirm the cancellation."""
    await use_cases.queue(tx, [letters.about_order(event, "order-cancelled") for event in events], events)


@handlers.on_batch(OrderExpired)
async def order_expired(events: Sequence[OrderExpired], tx: AsyncSession) -> None:
    """Say that the order was not paid in time."""
    await use_cases.queue(tx, [letters.about_order(event, "order-expired") for event in events], events)


@handlers.on_batch(OrderShipped)
async def order_shipped(events: Sequence[OrderShipped], tx: AsyncSession) -> None:
    """Say that a parcel is on its way."""
    await use_cases.queue(tx, [letters.about_order(event, "order-shipped") for event in events], events)


@handlers.on_batch(OrderDelivered)
async def order_delivered(events: Sequence[OrderDelivered], tx: AsyncSession) -> None:
    """Say that a parcel arrived."""
    await use_cases.queue(tx, [letters.about_order(event, "order-delivered") for event in events], events)


@handlers.on_batch(OrderReturned)
async def order_returned(events: Sequence[OrderReturned], tx: AsyncSession) -> None:
    """Confirm what came back."""
    await use_cases.queue(tx, [letters.about_order(event, "order-returned") for event in events], events)


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


@handlers.on_hint(OutgoingMarketing)
def _bring_marketing(events: Sequence[OutgoingMarketing]) -> None:
    """Each may stand for many: a campaign says a word for a hundred of its messages."""
    intake.bring((event.message_id for event in events), marketing=True)
