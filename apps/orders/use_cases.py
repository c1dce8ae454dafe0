"""What customers and staff do with orders: load, decide, record."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis import outbox, telemetry
from apps.chassis.app import Chassis
from apps.chassis.auth import Principal, Role
from apps.chassis.idempotency import IdempotencyKey
from apps.contracts.orders import OrderCancelled
from apps.orders import details, reading, settling, store
from apps.orders.checkout import Wanted
from apps.orders.details import Reference
from apps.orders.domain import Trigger, advance
from apps.orders.running import Running
from apps.orders.schemas import CancelOrder, PlaceOrder
from apps.orders.settling import Entry, Moving


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
    async with chassis.database.transaction() as tx:
        await key.recall(tx)
        order = await store.get(tx, order_id, customer_id=reading.only_own(caller))
    (document,) = await details.get(chassis.documents, [Reference(order_id, order.document_revision)])
    async with chassis.database.transaction() as tx:
        once = await key.begin(tx)
        trigger = Trigger.CUSTOMER_CANCELLED if order.customer_id == caller.id else Trigger.SUPPORT_CANCELLED
        await _call_off(tx, order_id, trigger, _actor(caller), command.reason)
        view = await reading.view(tx, order_id, document)
        return await once.reply(view, 202, reading.headers(order_id, view.revision))


async def _call_off(tx: AsyncSession, order_id: UUID, trigger: Trigger, actor: str, reason: str | None) -> None:
    order = (await settling.lock(tx, [order_id]))[order_id]
    before, now = order.standing, datetime.now(UTC)
    order.standing = advance(before, trigger)
    order.revision += 1
    entry = Entry(order_id, order.revision, before, order.standing, trigger, telemetry.trace_id(), reason)
    await settling.write(tx, [order], [entry], actor, now)
    lines = (await store.lines_of(tx, [order_id]))[order_id]
    await store.restock(tx, {line.sku: line.quantity for line in lines})
    outbox.record(tx, _cancelled(order, reason, now))


def _actor(caller: Principal) -> str:
    return f"{'support' if caller.has(Role.SUPPORT, Role.STAFF) else 'customer'}:{caller.id}"


def _cancelled(order: Moving, reason: str | None, at: datetime) -> OrderCancelled:
    return OrderCancelled(
        sequence=order.revision,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        total=order.total,
        reason=reason,
        cancelled_at=at,
    )
