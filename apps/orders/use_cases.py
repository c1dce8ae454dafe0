"""What customers and staff do with orders: load, decide, record."""

import secrets
from datetime import UTC, datetime
from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis import outbox, telemetry
from apps.chassis.app import Chassis
from apps.chassis.auth import Principal, Role
from apps.chassis.idempotency import IdempotencyKey
from apps.contracts.base import Money
from apps.contracts.orders import Line, OrderCancelled, OrderPlaced
from apps.orders import details, placing, reading, settling, store
from apps.orders.details import Reference
from apps.orders.domain import NUMBER_BITS, LinesRefusedError, Trigger, advance, number
from apps.orders.placing import Placement
from apps.orders.schemas import CancelOrder, PlaceOrder
from apps.orders.settling import Entry, Moving


async def place(chassis: Chassis, key: IdempotencyKey, caller: Principal, command: PlaceOrder) -> Response:
    """Accept an order: its document first, so that no order is ever without one; a crash leaves an orphan at most."""
    async with chassis.database.reading() as connection:
        await key.recall(connection)
        await _check(connection, command)
    order_id, now = uuid7(), datetime.now(UTC)
    document = details.of(command)
    await details.put(chassis.sidecar, Reference(order_id, 1), document)
    async with chassis.database.transaction() as tx:
        once = await key.begin(tx)
        lines = await placing.reserve(tx, command.lines)
        placement = Placement(
            order_id, number(secrets.randbits(NUMBER_BITS)), caller.id, lines, _total(lines), placed_at=now
        )
        await placing.add(tx, placement, _actor(caller), telemetry.trace_id())
        outbox.record(tx, _placed(placement, command.payment_method))
        return await once.reply(reading.view_of_new(placement, document), 201, _headers(order_id, 1))


async def cancel(
    chassis: Chassis, key: IdempotencyKey, caller: Principal, order_id: UUID, command: CancelOrder
) -> Response:
    """Call an order off and put its articles back; what was paid for it, payments returns when it hears of it."""
    async with chassis.database.transaction() as tx:
        await key.recall(tx)
        order = await store.get(tx, order_id, customer_id=reading.only_own(caller))
    (document,) = await details.get(chassis.sidecar, [Reference(order_id, order.document_revision)])
    async with chassis.database.transaction() as tx:
        once = await key.begin(tx)
        trigger = Trigger.CUSTOMER_CANCELLED if order.customer_id == caller.id else Trigger.SUPPORT_CANCELLED
        await _call_off(tx, order_id, trigger, _actor(caller), command.reason)
        view = await reading.view(tx, order_id, document)
        return await once.reply(view, 202, _headers(order_id, view.revision))


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


async def _check(connection: AsyncConnection, command: PlaceOrder) -> None:
    """Refuse what can never be sold before anything is written; the stock is a question for later."""
    listed = await placing.listed(connection, [line.sku for line in command.lines])
    refused: list[tuple[str, str]] = []
    currency: str | None = None
    for position, line in enumerate(command.lines):
        product = listed.get(line.sku)
        if product is None or not product.active:
            refused.append((f"#/lines/{position}/sku", f"There is no product {line.sku} on sale."))
        elif product.currency != (currency := currency or product.currency):
            refused.append((f"#/lines/{position}/sku", f"{line.sku} is priced in another currency than lines above."))
    if refused:
        raise LinesRefusedError(refused)


def _total(lines: list[Line]) -> Money:
    amount = sum(line.quantity * line.unit_price.amount for line in lines)
    return Money(amount=amount, currency=lines[0].unit_price.currency)


def _actor(caller: Principal) -> str:
    return f"{'support' if caller.has(Role.SUPPORT, Role.STAFF) else 'customer'}:{caller.id}"


def _headers(order_id: UUID, revision: int) -> dict[str, str]:
    return {"Location": f"/orders/{order_id}", "ETag": f'"{revision}"'}


def _placed(placement: Placement, payment_method: str) -> OrderPlaced:
    return OrderPlaced(
        sequence=1,
        order_id=placement.id,
        customer_id=placement.customer_id,
        number=placement.number,
        total=placement.total,
        payment_method=payment_method,
        placed_at=placement.placed_at,
    )


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
