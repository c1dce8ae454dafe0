from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.events import EventHandlers
from apps.contracts.orders import (
    OrderCancelled,
    OrderChanged,
    OrderExpired,
    OrderPlaced,
    OrderReturned,
    OrderShipped,
)
from apps.contracts.users import UserErased
from apps.payments import intake

handlers = EventHandlers(cards=False)


@handlers.on_batch(OrderPlaced)
async def order_placed(events: Sequence[OrderPlaced], tx: AsyncSession) -> None:
    """Claim: the worker charges, since a slow processor must not hold up the topic."""
    await intake.claim(tx, events)


@handlers.on_batch(OrderChanged)
async def order_changed(events: Sequence[OrderChanged], tx: AsyncSession) -> None:
    """Charge or give back the difference; before the charge, it is simply the amount."""
    await intake.settle(tx, events)


@handlers.on_batch(OrderCancelled)
async def order_cancelled(events: Sequence[OrderCancelled], tx: AsyncSession) -> None:
    """Void or give back; before the order is heard of, remember."""
    await intake.settle(tx, events)


@handlers.on_batch(OrderExpired)
async def order_expired(events: Sequence[OrderExpired], tx: AsyncSession) -> None:
    """Let go as for a cancelled order: what is captured later all the same goes back."""
    await intake.settle(tx, events)


@handlers.on_batch(OrderShipped)
async def order_shipped(events: Sequence[OrderShipped], tx: AsyncSession) -> None:
    """Capture what is only authorised."""
    await intake.settle(tx, events)


@handlers.on_batch(OrderReturned)
async def order_returned(events: Sequence[OrderReturned], tx: AsyncSession) -> None:
    """Give back what the goods were worth, once for each return."""
    await intake.settle(tx, events)


@handlers.on_batch(UserErased)
async def user_erased(events: Sequence[UserErased], tx: AsyncSession) -> None:
    """Destroy the keys of what is a person's; the ledger knows none."""
    await intake.forget(tx, events)
