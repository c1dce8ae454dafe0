"""How orders are shown: rows of the database and documents of the store, put together."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from apps.chassis.app import Chassis
from apps.chassis.auth import Principal, Role
from apps.contracts.base import Money
from apps.contracts.orders import Line
from apps.orders import details, listing, store
from apps.orders.details import Details, Reference
from apps.orders.domain import ForeignOrdersError, NothingOwedError, allowed, spelled
from apps.orders.listing import Filter
from apps.orders.placing import Placement
from apps.orders.replica import Reads
from apps.orders.schemas import ListOrders
from apps.orders.states import LEFT, NEW, FulfilmentStatus, OrderStatus, PaymentStatus, Standing
from apps.orders.streams import Streams
from apps.orders.tables import Key
from apps.orders.views import (
    AmountView,
    LineView,
    OrderPage,
    OrderView,
    ReturnView,
    ShipmentView,
    Timeline,
    entry_view,
)


def only_own(caller: Principal) -> UUID | None:
    """Return whose orders the caller may see; None means everybody's."""
    return None if caller.has(Role.SUPPORT, Role.STAFF) else caller.id


async def show(chassis: Chassis, caller: Principal, order_id: UUID) -> OrderView:
    """Return one order with its details; no connection is held while the document is fetched."""
    reads: Reads = chassis.extra.reads
    own = only_own(caller)
    row = await reads.run(caller.id, lambda source: listing.read_one(source, order_id, own))
    (document,) = await details.get(chassis.documents, [Reference(order_id, row.document_revision)])
    return _view(row, document)


async def page(chassis: Chassis, caller: Principal, query: ListOrders) -> OrderPage:
    """Return orders, newest first: one statement for a page, and one call for its documents."""
    which, limit = _filter(caller, query), query.limit
    reads: Reads = chassis.extra.reads
    rows = await reads.run(caller.id, lambda source: listing.read(source, which, limit))
    documents = await details.get(chassis.documents, [Reference(row.id, row.document_revision) for row in rows])
    views = [_view(row, document) for row, document in zip(rows, documents, strict=True)]
    return OrderPage(items=views, next=views[-1].id if len(views) == limit else None)


def _filter(caller: Principal, query: ListOrders) -> Filter:
    own = only_own(caller)
    if own and query.customer_id not in (None, own):
        raise ForeignOrdersError
    return Filter(
        customer_id=own or query.customer_id,
        status=query.status,
        number=spelled(query.number) if query.number else None,
        from_id=store.bound(query.placed_from) if query.placed_from else None,
        below_id=min(
            filter(None, [query.cursor, store.bound(query.placed_to) if query.placed_to else None]), default=None
        ),
    )


async def timeline(chassis: Chassis, caller: Principal, order_id: UUID) -> Timeline:
    """Return all that happened to one order."""
    reads: Reads = chassis.extra.reads
    own = only_own(caller)

    async def both(source: AsyncConnection) -> list[Any]:
        row = await listing.read_one(source, order_id, own)
        return await listing.timeline_of(source, Key(row.id, row.customer_id))

    return Timeline(items=[entry_view(row) for row in await reads.run(caller.id, both)])


async def events(chassis: Chassis, caller: Principal, order_id: UUID, after: int) -> AsyncGenerator[bytes]:
    """Return the stream of what happens to one order from entry *after* on."""
    async with chassis.database.reading() as connection:
        row = await listing.read_one(connection, order_id, only_own(caller))
    streams: Streams = chassis.extra.streams
    return streams.watch(Key(row.id, row.customer_id), after)


async def view(tx: AsyncSession, order: Key, document: Details) -> OrderView:
    """Return one order as it stands in this transaction."""
    return _view(await listing.read_one(tx, *order), document)


def headers(order_id: UUID, revision: int) -> dict[str, str]:
    """Return what an answer that shows an order says above it."""
    return {"Location": f"/orders/{order_id}", "ETag": f'"{revision}"'}


def view_of_new(placement: Placement, document: Details) -> OrderView:
    """Return an order that is just being written, without reading it back."""
    return OrderView(
        id=placement.id,
        number=placement.number,
        customer_id=placement.customer_id,
        status=NEW.order,
        payment_status=NEW.payment,
        fulfilment_status=NEW.fulfilment,
        lines=_line_views(placement.lines, document),
        shipping_address=document.shipping_address,
        note=document.note,
        total=placement.total,
        refunded=Money(amount=0, currency=placement.total.currency),
        allowed_transitions=allowed(NEW),
        revision=1,
        placed_at=placement.placed_at,
        updated_at=placement.placed_at,
    )


def _view(row: Any, document: Details) -> OrderView:
    standing = Standing(
        OrderStatus(row.status), PaymentStatus(row.payment_status), FulfilmentStatus(row.fulfilment_status)
    )
    return OrderView(
        id=row.id,
        number=row.number,
        customer_id=row.customer_id,
        status=standing.order,
        payment_status=standing.payment,
        fulfilment_status=standing.fulfilment,
        lines=[_line_view(line, row.currency, document) for line in row.lines or ()],
        shipping_address=document.shipping_address,
        note=document.note,
        total=Money(amount=row.total, currency=row.currency),
        refunded=Money(amount=row.refunded, currency=row.currency),
        shipments=[ShipmentView.model_validate(shipment) for shipment in row.shipments or ()],
        returns=[
            ReturnView.model_validate(back | {"refund": {"amount": back["refund"], "currency": row.currency}})
            for back in row.returns or ()
        ],
        allowed_transitions=allowed(standing),
        revision=row.revision,
        placed_at=row.placed_at,
        updated_at=row.updated_at,
    )


def _line_view(line: dict[str, Any], currency: str, document: Details) -> LineView:
    price = Money(amount=line["unit_price"], currency=currency)
    shown: dict[str, Any] = {"unit_price": price, "configuration": document.configurations.get(line["sku"])}
    return LineView(**line | shown)


def _line_views(lines: Sequence[Line], document: Details) -> list[LineView]:
    return [
        LineView(
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            unit_price=line.unit_price,
            configuration=document.configurations.get(line.sku),
        )
        for line in lines
    ]


async def amount(tx: AsyncSession, order_id: UUID) -> AmountView:
    """Return what one order costs and where it is; raise NothingOwedError where it was called off."""
    order = await store.get(tx, order_id)
    if order.standing.order in LEFT:
        raise NothingOwedError(order.standing.order)
    return AmountView(
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        amount=order.price,
        status=order.standing.order,
        payment_status=order.standing.payment,
    )
