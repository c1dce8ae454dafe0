"""How orders are shown: rows of the database and documents of the store, put together."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.app import Chassis
from apps.chassis.auth import Principal, Role
from apps.contracts.base import Money
from apps.contracts.orders import Line
from apps.orders import details, store
from apps.orders.details import Details, Reference
from apps.orders.domain import NEW, ForeignOrdersError, OrderStatus, PaymentStatus, allowed
from apps.orders.placing import Placement
from apps.orders.schemas import ListOrders
from apps.orders.store import Filter
from apps.orders.tables import Order, TimelineEntry
from apps.orders.views import AmountView, LineView, OrderPage, OrderView, Timeline, TimelineView


def only_own(caller: Principal) -> UUID | None:
    """Return whose orders the caller may see; None means everybody's."""
    return None if caller.has(Role.SUPPORT, Role.STAFF) else caller.id


async def show(chassis: Chassis, caller: Principal, order_id: UUID) -> OrderView:
    """Return one order with its details; no connection is held while the document is fetched."""
    async with chassis.database.transaction() as tx:
        order = await store.get(tx, order_id, customer_id=only_own(caller))
        lines = await store.lines_of(tx, [order_id])
    (document,) = await details.get(chassis.documents, [Reference(order_id, order.document_revision)])
    return _view(order, lines[order_id], document)


async def page(chassis: Chassis, caller: Principal, query: ListOrders) -> OrderPage:
    """Return orders, newest first, whose documents are read in one call."""
    which, limit = _filter(caller, query), query.limit
    async with chassis.database.transaction() as tx:
        orders = await store.list_matching(tx, which, limit)
        lines = await store.lines_of(tx, [order.id for order in orders])
    documents = await details.get(chassis.documents, [Reference(order.id, order.document_revision) for order in orders])
    views = [_view(order, lines[order.id], document) for order, document in zip(orders, documents, strict=True)]
    return OrderPage(items=views, next=views[-1].id if len(views) == limit else None)


def _filter(caller: Principal, query: ListOrders) -> Filter:
    own = only_own(caller)
    if own and query.customer_id not in (None, own):
        raise ForeignOrdersError
    from_id = store.bound(query.placed_from) if query.placed_from else None
    ends = [query.cursor, store.bound(query.placed_to) if query.placed_to else None]
    return Filter(own or query.customer_id, query.status, from_id, min(filter(None, ends), default=None))


async def timeline(tx: AsyncSession, caller: Principal, order_id: UUID) -> Timeline:
    """Return all that happened to one order."""
    await store.get(tx, order_id, customer_id=only_own(caller))
    return Timeline(items=[_entry(row) for row in await store.timeline_of(tx, order_id)])


async def view(tx: AsyncSession, order_id: UUID, document: Details) -> OrderView:
    """Return one order as it stands in this transaction."""
    order = await store.get(tx, order_id)
    return _view(order, (await store.lines_of(tx, [order_id]))[order_id], document)


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


def _view(order: Order, lines: Sequence[Line], document: Details) -> OrderView:
    standing = order.standing
    return OrderView(
        id=order.id,
        number=order.number,
        customer_id=order.customer_id,
        status=standing.order,
        payment_status=standing.payment,
        fulfilment_status=standing.fulfilment,
        lines=_line_views(lines, document),
        shipping_address=document.shipping_address,
        note=document.note,
        total=order.price,
        refunded=Money(amount=order.refunded, currency=order.currency),
        allowed_transitions=allowed(standing),
        revision=order.revision,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
    )


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


def _entry(row: TimelineEntry) -> TimelineView:
    return TimelineView(
        at=row.at,
        from_=OrderStatus(row.from_status) if row.from_status else None,
        to=OrderStatus(row.to_status),
        payment_status=PaymentStatus(row.payment_status),
        trigger=row.trigger,
        actor=row.actor,
        cause=row.cause,
        note=row.note,
    )


async def amount(tx: AsyncSession, order_id: UUID) -> AmountView:
    """Return what one order costs and where it is."""
    order = await store.get(tx, order_id)
    return AmountView(
        order_id=order.id,
        customer_id=order.customer_id,
        number=order.number,
        amount=order.price,
        status=order.standing.order,
        payment_status=order.standing.payment,
    )
