"""Changing an order before it is sent, paid or not: the difference is charged, or goes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import outbox, telemetry
from apps.chassis.app import Chassis
from apps.contracts.base import Money
from apps.orders import details, facts, intents, parcels, placing, reading, selling, settling, store
from apps.orders.details import Details, Reference
from apps.orders.domain import OutOfStockError, QuantityRefusedError, RevisionDiffersError, advance, complete
from apps.orders.money import trigger_of_edit
from apps.orders.parcels import Row
from apps.orders.replica import Reads
from apps.orders.schemas import EditOrder, OrderLine
from apps.orders.settling import Entry, Moving
from apps.orders.states import Trigger
from apps.orders.views import OrderView


@dataclass(frozen=True, slots=True)
class Wish:
    """An edit of the order that was read at *revision* (None: whatever it is at), and who wishes it."""

    order_id: UUID
    revision: int | None
    caller_id: UUID
    customer_id: UUID | None
    actor: str
    command: EditOrder


async def edit(chassis: Chassis, wish: Wish) -> OrderView:
    """Change an order; its new document is written first, and the old one goes once nobody reads it any more."""
    command = wish.command
    async with chassis.database.transaction() as tx:
        order = await store.get(tx, wish.order_id, customer_id=wish.customer_id)
        _same(order.revision, wish.revision)
        rows = await parcels.rows_of(tx, order.key)
        listed = await placing.listed(await tx.connection(), [line.sku for line in command.lines or ()])
    selling.check_edit(command.lines or (), rows, listed, order.currency)
    (before,) = await details.get(chassis.documents, [Reference(wish.order_id, order.document_revision)])
    document = _document(before, command)
    async with chassis.database.reading() as connection:
        reference = Reference(wish.order_id, await intents.next_revision(connection))
        intent = await intents.announce(connection, [reference])
    await details.put(chassis.documents, {reference: document})
    async with chassis.database.transaction() as tx:
        moving = await settling.lock_one(tx, order.key)
        _same(moving.revision, order.revision)
        await intents.settle(tx, intent, [Reference(wish.order_id, moving.document_revision)])
        moving.document_revision = reference.revision
        await _change(tx, moving, rows, wish)
        reads: Reads = chassis.extra.reads
        await reads.mark(tx, [wish.caller_id])
        return await reading.view(tx, order.key, document)


def _same(revision: int, expected: int | None) -> None:
    if expected is not None and revision != expected:
        raise RevisionDiffersError(revision)


async def _change(tx: AsyncSession, order: Moving, before: Mapping[str, Row], wish: Wish) -> None:
    now = datetime.now(UTC)
    cost = order.total.amount
    rows = list(before.values())
    if wish.command.lines is not None:
        rows = await _lines(tx, order, before, wish.command.lines)
        order.total = Money(amount=sum(row.quantity * row.unit_price for row in rows), currency=order.total.currency)
    first_paid = facts.first_paid(order)
    trigger = trigger_of_edit(order.standing, order.money, cost, order.total.amount)
    entries = [order.move(advance(order.standing, trigger), trigger, telemetry.trace_id())]
    changed = order.revision
    if trigger is Trigger.EDITED_TO_COVER and first_paid:
        order.paid_at = now
        await facts.tell_paid(tx, [(order, None)])
    entries += await _completed(tx, order, rows)
    await settling.write(tx, [order], entries, wish.actor, now)
    lines = [row.part(row.quantity, order.total.currency) for row in rows]
    outbox.record(tx, facts.changed(order, changed, lines, now))


async def _lines(tx: AsyncSession, order: Moving, before: Mapping[str, Row], wanted: Sequence[OrderLine]) -> list[Row]:
    """Write the new lines and move the stock by the difference; what was sent stays on the order."""
    quantities = {line.sku: line.quantity for line in wanted}
    sent = [
        (f"#/lines/{_position(wanted, sku)}", f"Of {sku}, {row.shipped} have been sent.")
        for sku, row in before.items()
        if quantities.get(sku, 0) < row.shipped
    ]
    if sent:
        raise QuantityRefusedError(sent)
    deltas = {
        sku: quantities.get(sku, 0) - (before[sku].quantity if sku in before else 0) for sku in {*quantities, *before}
    }
    products = await _reserve(tx, {sku: delta for sku, delta in deltas.items() if delta})
    last = max(row.position for row in before.values())
    rows: list[Row] = []
    for line in wanted:
        if kept := before.get(line.sku):
            rows.append(Row(kept.position, line.sku, kept.name, line.quantity, kept.unit_price, kept.shipped))
        else:
            last += 1
            product = products[line.sku]
            rows.append(Row(last, line.sku, product.name, line.quantity, product.price))
    await parcels.rewrite(tx, order.key, list(before.values()), rows)
    return sorted(rows, key=lambda row: row.position)


async def _reserve(tx: AsyncSession, deltas: Mapping[str, int]) -> dict[str, Any]:
    """Take more or give back, all or nothing; raise OutOfStockError naming what is short."""
    products = await placing.lock(tx, list(deltas)) if deltas else {}
    short = [sku for sku, delta in deltas.items() if delta > 0 and not placing.enough(products.get(sku), delta)]
    if short:
        raise OutOfStockError(sorted(short))
    await placing.take(
        tx, {sku: delta for sku, delta in deltas.items() if sku in products and products[sku].stock is not None}
    )
    return products


async def _completed(tx: AsyncSession, order: Moving, rows: Sequence[Row]) -> list[Entry]:
    """Where all that is left on the order has been sent, it is as if the last parcel had just left."""
    if not any(row.shipped for row in rows) or any(row.shipped < row.quantity for row in rows):
        return []
    shipments = await parcels.shipments_of(tx, order.key)
    trigger = Trigger.DELIVERED if all(shipments.values()) else Trigger.SHIPPED
    return [order.move(complete(order.standing, trigger), trigger, telemetry.trace_id(), "the rest was taken off")]


def _document(before: Details, command: EditOrder) -> Details:
    """Return what the order's document says after the edit; what the edit leaves out stays."""
    changes: dict[str, Any] = {}
    if command.shipping_address is not None:
        changes["shipping_address"] = command.shipping_address
    if "note" in command.model_fields_set:
        changes["note"] = command.note
    if command.lines is not None:
        given = {line.sku: line.configuration for line in command.lines if "configuration" in line.model_fields_set}
        stay = {line.sku for line in command.lines} - given.keys()
        kept = {sku: value for sku, value in before.configurations.items() if sku in stay}
        changes["configurations"] = kept | {sku: value for sku, value in given.items() if value is not None}
    return before.model_copy(update=changes)


def _position(lines: Sequence[OrderLine], sku: str) -> str:
    return next((f"{position}/quantity" for position, line in enumerate(lines) if line.sku == sku), "")
