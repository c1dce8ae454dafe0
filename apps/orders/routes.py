from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from apps.chassis.app import Here
from apps.chassis.auth import Caller, Staff, internal, public
from apps.chassis.database import Tx
from apps.chassis.idempotency import Keyed
from apps.orders import catalogue, reading, use_cases
from apps.orders.schemas import CancelOrder, ChangeStock, ListOrders, PlaceOrder, PutProduct, Sku
from apps.orders.views import AmountView, OrderPage, OrderView, ProductPage, ProductView, Timeline

products = APIRouter(prefix="/products", tags=["products"])
orders = APIRouter(prefix="/orders", tags=["orders"])
questions = APIRouter(prefix="/internal/orders", include_in_schema=False)


@products.get("", dependencies=[public])
async def list_products(
    tx: Tx,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str, Query(max_length=64)] = "",
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


@orders.get("/{order_id}/timeline")
async def show_timeline(order_id: UUID, caller: Caller, tx: Tx) -> Timeline:
    """Tell what happened to an order: when, through whom and why."""
    return await reading.timeline(tx, caller, order_id)


@questions.get("/amount", dependencies=[internal("payments")])
async def show_amount(order_id: UUID, tx: Tx) -> AmountView:
    """Say what an order costs: payments never takes a caller's word for it."""
    return await reading.amount(tx, order_id)
