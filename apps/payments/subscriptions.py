from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.events import EventHandlers
from apps.contracts.orders import OrderCancelled, OrderPlaced
from apps.payments import use_cases

handlers = EventHandlers()


@handlers.on_batch(OrderPlaced)
async def order_placed(events: Sequence[OrderPlaced], tx: AsyncSession) -> None:
    """Claim: the worker charges, since a slow processor must not hold up the topic."""
    await use_cases.claim(tx, events)


@handlers.on_batch(OrderCancelled)
async def order_cancelled(events: Sequence[OrderCancelled], tx: AsyncSession) -> None:
    """Void or give back; before the order is heard of, remember."""
    await use_cases.cancel(tx, events)
