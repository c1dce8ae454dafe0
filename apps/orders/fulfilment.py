"""What leaves the house, arrives, and comes back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis import outbox, telemetry
from apps.contracts.base import Money
from apps.contracts.orders import Line, OrderDelivered, OrderReturned, OrderShipped
from apps.orders import parcels, settling
from apps.orders.domain import QuantityRefusedError, ShipmentNotFoundError, advance
from apps.orders.parcels import Parcel, Part, Return, Row
from apps.orders.schemas import PieceOfLine, ReturnLines, ShipLines
from apps.orders.settling import Entry, Moving
from apps.orders.states import Trigger
from apps.orders.tables import Key


async def ship(tx: AsyncSession, key: Key, command: ShipLines, actor: str) -> None:
    """Send a parcel with *command*'s lines, or with all that is left; only what is paid or held leaves the house."""
    order, now = await settling.lock_one(tx, key), datetime.now(UTC)
    rows = await parcels.rows_of(tx, key)
    left = {sku: row.quantity - row.shipped for sku, row in rows.items()}
    parts = _parts(rows, command.lines, left, "left to send")
    complete = sum(part.quantity for part in parts) == sum(left.values())
    trigger = Trigger.SHIPPED if complete else Trigger.SHIPPED_IN_PART
    parcel = Parcel(uuid7(), now, parts, command.carrier, command.tracking_number)
    entry = _move(order, trigger, f"{command.carrier} {command.tracking_number}")
    await settling.write(tx, [order], [entry], actor, now)
    await parcels.send(tx, key, parcel)
    outbox.record(tx, _shipped(order, parcel, complete=complete))


async def deliver(tx: AsyncSession, key: Key, shipment_id: UUID, actor: str) -> None:
    """Note that a parcel has arrived; to hear it again changes nothing."""
    order, now = await settling.lock_one(tx, key), datetime.now(UTC)
    shipments = await parcels.shipments_of(tx, key)
    if shipment_id not in shipments:
        raise ShipmentNotFoundError(shipment_id)
    if shipments[shipment_id]:
        return
    rows = await parcels.rows_of(tx, key)
    others = all(at for id_, at in shipments.items() if id_ != shipment_id)
    complete = others and all(row.shipped == row.quantity for row in rows.values())
    trigger = Trigger.DELIVERED if complete else Trigger.DELIVERED_IN_PART
    await settling.write(tx, [order], [_move(order, trigger, f"shipment {shipment_id}")], actor, now)
    await parcels.arrived(tx, key, shipment_id, now)
    outbox.record(tx, _delivered(order, shipment_id, now, complete=complete))


async def take_back(tx: AsyncSession, key: Key, command: ReturnLines, actor: str) -> None:
    """Note what came back, to be refunded exactly; what goes on sale again, somebody decides who has seen it."""
    order, now = await settling.lock_one(tx, key), datetime.now(UTC)
    rows = await parcels.rows_of(tx, key)
    out = {sku: row.shipped - row.returned for sku, row in rows.items()}
    complete = sum(line.quantity for line in command.lines) == sum(row.quantity - row.returned for row in rows.values())
    trigger = Trigger.RETURNED if complete else Trigger.RETURNED_IN_PART
    advance(order.standing, trigger)  # whether anything can come back, before how much
    parts = _parts(rows, command.lines, out, "out there to come back")
    refund = sum(part.quantity * part.row.unit_price for part in parts)
    back = Return(uuid7(), now, parts, refund, command.reason)
    order.money.returned += refund
    await settling.write(tx, [order], [_move(order, trigger, command.reason)], actor, now)
    await parcels.take_back(tx, key, back)
    outbox.record(tx, _returned(order, back, complete=complete))


def _parts(
    rows: Mapping[str, Row], wanted: Sequence[PieceOfLine] | None, there: Mapping[str, int], what: str
) -> list[Part]:
    """Return what is *wanted*, or all that is *there*; raise QuantityRefusedError naming what is too much."""
    if wanted is None:
        return [Part(rows[sku], quantity) for sku, quantity in there.items() if quantity]
    refused = [
        (f"#/lines/{position}/quantity", f"Of {line.sku}, {there.get(line.sku, 0)} are {what}.")
        for position, line in enumerate(wanted)
        if line.quantity > there.get(line.sku, 0)
    ]
    if refused:
        raise QuantityRefusedError(refused)
    return [Part(rows[line.sku], line.quantity) for line in wanted]


def _move(order: Moving, trigger: Trigger, note: str) -> Entry:
    return order.move(advance(order.standing, trigger), trigger, telemetry.trace_id(), note)


def _shipped(order: Moving, parcel: Parcel, *, complete: bool) -> OrderShipped:
    return OrderShipped(
        sequence=order.revision,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        shipment_id=parcel.id,
        lines=_lines(order, parcel.parts),
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        complete=complete,
        shipped_at=parcel.at,
    )


def _delivered(order: Moving, shipment_id: UUID, at: datetime, *, complete: bool) -> OrderDelivered:
    return OrderDelivered(
        sequence=order.revision,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        shipment_id=shipment_id,
        complete=complete,
        delivered_at=at,
    )


def _returned(order: Moving, back: Return, *, complete: bool) -> OrderReturned:
    return OrderReturned(
        sequence=order.revision,
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        return_id=back.id,
        lines=_lines(order, back.parts),
        refund=Money(amount=back.refund, currency=order.total.currency),
        complete=complete,
        returned_at=back.at,
    )


def _lines(order: Moving, parts: Sequence[Part]) -> tuple[Line, ...]:
    return tuple(part.row.part(part.quantity, order.total.currency) for part in parts)
