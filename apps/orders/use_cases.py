"""What customers and staff do with orders: load, decide, record."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis import telemetry
from apps.chassis.app import Chassis
from apps.chassis.auth import Principal, Role
from apps.chassis.idempotency import IdempotencyKey
from apps.orders import details, editing, fulfilment, leaving, placing, reading, selling, store
from apps.orders.checkout import Wanted
from apps.orders.details import Reference
from apps.orders.editing import Wish
from apps.orders.replica import Reads
from apps.orders.running import Running
from apps.orders.schemas import CancelOrder, EditOrder, PlaceOrder, QuoteLines, ReturnLines, ShipLines
from apps.orders.states import Trigger
from apps.orders.tables import Key
from apps.orders.views import OrderView, QuoteView

Effect = Callable[[AsyncSession, Key], Awaitable[None]]


async def quote(chassis: Chassis, wanted: QuoteLines) -> QuoteView:
    """Say what an order would cost."""
    async with chassis.database.reading() as connection:
        listed = await placing.listed(connection, [line.sku for line in wanted.lines])
    return selling.quote(wanted, listed)


async def place(chassis: Chassis, key: IdempotencyKey, caller: Principal, command: PlaceOrder) -> Response:
    """Accept an order, together with all who order at the same moment."""
    wanted = Wanted(
        uuid7(),
        datetime.now(UTC),
        key,
        caller.id,
        _actor(caller),
        command,
        telemetry.traceparent(),
        telemetry.trace_id(),
    )
    running: Running = chassis.extra
    return await running.checkout.submit(wanted)


async def cancel(
    chassis: Chassis, key: IdempotencyKey, caller: Principal, order_id: UUID, command: CancelOrder
) -> Response:
    """Call an order off and put its articles back; what was paid for it, payments returns when it hears of it."""

    async def effect(tx: AsyncSession, order: Key) -> None:
        trigger = Trigger.CUSTOMER_CANCELLED if order.customer_id == caller.id else Trigger.SUPPORT_CANCELLED
        await leaving.call_off(tx, order, trigger, _actor(caller), command.reason)

    return await _once(chassis, key, caller, order_id, effect, 202)


async def edit(
    chassis: Chassis, caller: Principal, order_id: UUID, revision: int | None, command: EditOrder
) -> OrderView:
    """Change an order that was read at *revision*."""
    wish = Wish(order_id, revision, caller.id, reading.only_own(caller), _actor(caller), command)
    return await editing.edit(chassis, wish)


async def ship(
    chassis: Chassis, key: IdempotencyKey, caller: Principal, order_id: UUID, command: ShipLines
) -> Response:
    """Send a parcel."""
    return await _once(
        chassis, key, caller, order_id, lambda tx, order: fulfilment.ship(tx, order, command, _actor(caller)), 201
    )


async def deliver(chassis: Chassis, caller: Principal, order_id: UUID, shipment_id: UUID) -> OrderView:
    """Note that a parcel has arrived."""
    async with chassis.database.transaction() as tx:
        order = await store.get(tx, order_id)
    (document,) = await details.get(chassis.documents, [Reference(order_id, order.document_revision)])
    async with chassis.database.transaction() as tx:
        await fulfilment.deliver(tx, order.key, shipment_id, _actor(caller))
        await _mark(chassis, tx, caller)
        return await reading.view(tx, order.key, document)


async def take_back(
    chassis: Chassis, key: IdempotencyKey, caller: Principal, order_id: UUID, command: ReturnLines
) -> Response:
    """Note what came back."""
    return await _once(
        chassis, key, caller, order_id, lambda tx, order: fulfilment.take_back(tx, order, command, _actor(caller)), 201
    )


async def _once(  # noqa: PLR0917
    chassis: Chassis, key: IdempotencyKey, caller: Principal, order_id: UUID, effect: Effect, status: int
) -> Response:
    """Do *effect* once for this key, and answer with the order; its document is fetched before, outside of any lock."""
    async with chassis.database.transaction() as tx:
        await key.recall(tx)
        order = await store.get(tx, order_id, customer_id=reading.only_own(caller))
    (document,) = await details.get(chassis.documents, [Reference(order_id, order.document_revision)])
    async with chassis.database.transaction() as tx:
        once = await key.begin(tx)
        await effect(tx, order.key)
        view = await reading.view(tx, order.key, document)
        reply = await once.reply(view, status, reading.headers(order_id, view.revision))
        await _mark(chassis, tx, caller)
        return reply


async def _mark(chassis: Chassis, tx: AsyncSession, caller: Principal) -> None:
    reads: Reads = chassis.extra.reads
    await reads.mark(tx, [caller.id])


def _actor(caller: Principal) -> str:
    return f"{'support' if caller.has(Role.SUPPORT, Role.STAFF) else 'customer'}:{caller.id}"
