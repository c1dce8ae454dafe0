from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.events import EventHandlers
from apps.contracts.payments import (
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
)
from apps.contracts.users import UserErased
from apps.orders import erasing, facts

handlers = EventHandlers(cards=False)


@handlers.on_batch(PaymentAuthorised)
async def payment_authorised(events: Sequence[PaymentAuthorised], tx: AsyncSession) -> None:
    """Take that the money is held: the orders may be sent."""
    await facts.authorised(tx, events)


@handlers.on_batch(PaymentCaptured)
async def payment_captured(events: Sequence[PaymentCaptured], tx: AsyncSession) -> None:
    """Take that the money is there: the orders are paid."""
    await facts.captured(tx, events)


@handlers.on_batch(PaymentDeclined)
async def payment_declined(events: Sequence[PaymentDeclined], tx: AsyncSession) -> None:
    """Take that a card was refused: the orders wait for another."""
    await facts.declined(tx, events)


@handlers.on_batch(PaymentVoided)
async def payment_voided(events: Sequence[PaymentVoided], tx: AsyncSession) -> None:
    """Take that nothing is held any more."""
    await facts.voided(tx, events)


@handlers.on_batch(PaymentRefunded)
async def payment_refunded(events: Sequence[PaymentRefunded], tx: AsyncSession) -> None:
    """Take that money went back."""
    await facts.refunded(tx, events)


@handlers.on_batch(RefundFailed)
async def refund_failed(events: Sequence[RefundFailed], tx: AsyncSession) -> None:
    """Take that money did not go back."""
    await facts.refund_failed(tx, events)


@handlers.on_batch(UserErased)
async def user_erased(events: Sequence[UserErased], tx: AsyncSession) -> None:
    """Take that a person is to be forgotten: their orders lose names and addresses, and keep amounts."""
    await erasing.ask(tx, [event.user_id for event in events])
