from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from apps.chassis.app import Here
from apps.chassis.auth import Caller, Staff, internal, public
from apps.chassis.database import Tx
from apps.chassis.idempotency import Keyed
from apps.chassis.texts import STORABLE
from apps.orders import catalogue, reading, use_cases
from apps.orders.domain import RevisionRequiredError
from apps.orders.schemas import (
    CancelOrder,
    ChangeStock,
    EditOrder,
    ListOrders,
    PlaceOrder,
    PutProduct,
    QuoteLines,
    ReturnLines,
    ShipLines,
    Sku,
)
from apps.orders.views import AmountView, OrderPage, OrderView, ProductPage, ProductView, QuoteView, Timeline

products = APIRouter(prefix="/products", tags=["products"])
orders = APIRouter(prefix="/orders", tags=["orders"])
quotes = APIRouter(prefix="/quotes", tags=["orders"])
questions = APIRouter(prefix="/internal/orders", include_in_schema=False)


# As text: what is no number is a precondition that fails, no error of form.
IfMatch = Annotated[str | None, Header(max_length=100, description="The ETag that the order was read with.")]
LastEventId = Annotated[int, Header(ge=0, le=2**31 - 1, description="The id of the last event that arrived.")]


def _revision(if_match: str | None) -> int | None:
    """Return the revision that an edit is meant for; None for `*`, which is whatever there is."""
    if not if_match:
        raise RevisionRequiredError
    if if_match.strip() == "*":
        return None
    tag = if_match.strip().removeprefix("W/").strip('"')
    return int(tag) if tag.isascii() and tag.isdigit() else -1


@products.get("", dependencies=[public])
async def list_products(
    tx: Tx,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str, Query(max_length=64, pattern=STORABLE)] = "",
    active: bool | None = None,
) -> ProductPage:
    """List the price list by sku."""
    return await catalogue.list_products(tx, cursor, limit, active=active)


@products.get("/{sku}", dependencies=[public])
async def show_product(sku: Sku, tx: Tx) -> ProductView:
    """Show one article."""
    return await catalogue.show(tx, sku)


@products.put("/{sku}")
async def put_product(sku: Sku, command: PutProduct, _caller: Staff, tx: Tx) -> ProductView:
    """Write one article, new or not."""
    return await catalogue.put(tx, sku, command)


@products.post("/{sku}/stock")
async def change_stock(sku: Sku, command: ChangeStock, _caller: Staff, tx: Tx) -> ProductView:
    """Add to the stock, or take from it."""
    return await catalogue.change_stock(tx, sku, command)


@quotes.post("")
async def quote_order(wanted: QuoteLines, _caller: Caller, here: Here) -> QuoteView:
    """Say what an order would cost and whether it is there; nothing is kept."""
    return await use_cases.quote(here, wanted)


@orders.post("", status_code=201, response_model=OrderView)
async def place_order(command: PlaceOrder, caller: Caller, key: Keyed, here: Here) -> Response:
    """Accept an order; payment follows, and its outcome arrives as an event."""
    return await use_cases.place(here, key, caller, command)


@orders.get("")
async def list_orders(caller: Caller, here: Here, query: Annotated[ListOrders, Query()]) -> OrderPage:
    """List the caller's own orders, newest first; support and staff see everybody's."""
    return await reading.page(here, caller, query)


@orders.get("/{order_id}")
async def show_order(order_id: UUID, caller: Caller, here: Here, response: Response) -> OrderView:
    """Show one order; another's is told as none."""
    view = await reading.show(here, caller, order_id)
    response.headers["ETag"] = f'"{view.revision}"'
    return view


@orders.post("/{order_id}/cancel", status_code=202, response_model=OrderView)
async def cancel_order(
    order_id: UUID, caller: Caller, key: Keyed, here: Here, command: CancelOrder | None = None
) -> Response:
    """Call an order off; a paid one is refunded."""
    return await use_cases.cancel(here, key, caller, order_id, command or CancelOrder())


@orders.patch("/{order_id}")
async def edit_order(  # noqa: PLR0917  # FastAPI passes them by name
    order_id: UUID, command: EditOrder, caller: Caller, here: Here, response: Response, if_match: IfMatch = None
) -> OrderView:
    """Change an order before it is sent; a difference in price is charged, or goes back."""
    view = await use_cases.edit(here, caller, order_id, _revision(if_match), command)
    response.headers["ETag"] = f'"{view.revision}"'
    return view


@orders.post("/{order_id}/shipments", status_code=201, response_model=OrderView)
async def ship_order(order_id: UUID, command: ShipLines, caller: Staff, key: Keyed, here: Here) -> Response:
    """Send a parcel with some lines, or with all that is left."""
    return await use_cases.ship(here, key, caller, order_id, command)


@orders.post("/{order_id}/shipments/{shipment_id}/delivered")
async def deliver_shipment(order_id: UUID, shipment_id: UUID, caller: Staff, here: Here) -> OrderView:
    """Note that a parcel has arrived; to say so twice changes nothing."""
    return await use_cases.deliver(here, caller, order_id, shipment_id)


@orders.post("/{order_id}/returns", status_code=201, response_model=OrderView)
async def return_lines(order_id: UUID, command: ReturnLines, caller: Staff, key: Keyed, here: Here) -> Response:
    """Take back what was sent; exactly what it cost is refunded."""
    return await use_cases.take_back(here, key, caller, order_id, command)


@orders.get("/{order_id}/timeline")
async def show_timeline(order_id: UUID, caller: Caller, here: Here) -> Timeline:
    """Tell what happened to an order: when, through whom and why."""
    return await reading.timeline(here, caller, order_id)


@orders.get("/{order_id}/events", response_class=StreamingResponse)
async def watch_order(order_id: UUID, caller: Caller, here: Here, last_event_id: LastEventId = 0) -> StreamingResponse:
    """Tell what happens to an order as it happens, from its beginning or from Last-Event-ID; ends itself after 25 s."""
    stream = await reading.events(here, caller, order_id, last_event_id)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@questions.get("/amount", dependencies=[internal("payments")])
async def show_amount(order_id: UUID, tx: Tx) -> AmountView:
    """Say what an order costs: payments never takes a caller's word for it."""
    return await reading.amount(tx, order_id)
