import asyncio
from uuid import UUID

import pytest

from tests.store.orders.shop import ANNA, BERT, Shop
from tests.support.asgi import call


async def test_orders_are_listed_newest_first_and_page_by_page(shop: Shop) -> None:
    views = [await shop.placed(tea=1) for _ in range(5)]
    await shop.placed(tea=1, who=BERT)
    seen: list[str] = []
    path, pages = "/orders?limit=2", 0
    while path:
        page = (await shop.call("GET", path)).json()
        seen += [item["id"] for item in page["items"]]
        path, pages = f"/orders?limit=2&cursor={page['next']}" if page["next"] else "", pages + 1
    assert seen == [view["id"] for view in reversed(views)]
    assert (pages, shop.papers.reads) == (3, 3)


async def test_a_listed_order_is_the_order(shop: Shop) -> None:
    view = await shop.placed(tea=2)
    assert (await shop.call("GET", "/orders")).json() == {"items": [view], "next": None}


async def test_status_and_time_narrow_the_list(shop: Shop) -> None:
    first = await shop.placed(tea=1)
    await asyncio.sleep(0.002)  # ids tell times to the millisecond
    second = await shop.placed(tea=1)
    await shop.capture(first)

    async def found(query: str) -> list[str]:
        page = (await shop.call("GET", f"/orders?{query}")).json()
        return [item["id"] for item in page["items"]]

    between = second["placed_at"].replace("+", "%2B")
    assert await found("status=paid") == [first["id"]]
    assert await found(f"placed_to={between}") == [first["id"]]
    assert await found(f"placed_from={between}") == [second["id"]]
    assert (await shop.call("GET", "/orders?status=lost")).status == 422


async def test_customers_see_their_own_orders_and_support_sees_all(shop: Shop) -> None:
    mine, theirs = await shop.placed(tea=1), await shop.placed(tea=1, who=BERT)
    assert (await shop.call("GET", f"/orders/{theirs['id']}")).status == 404
    assert (await shop.call("GET", f"/orders/{theirs['id']}/timeline")).status == 404
    assert (await shop.call("GET", f"/orders?customer_id={BERT}")).status == 403
    assert (await shop.call("GET", f"/orders/{theirs['id']}", role="support")).status == 200
    everything = (await shop.call("GET", "/orders", role="support", who=UUID(int=3))).json()["items"]
    assert [item["id"] for item in everything] == [theirs["id"], mine["id"]]
    hers = (await shop.call("GET", f"/orders?customer_id={ANNA}", role="staff")).json()["items"]
    assert [item["id"] for item in hers] == [mine["id"]]


async def test_payments_and_nobody_else_may_ask_what_an_order_costs(shop: Shop) -> None:
    view = await shop.placed(tea=2)
    path = f"/internal/orders/amount?order_id={view['id']}"
    reply = await call(shop.app, "GET", path, headers={"dapr-caller-app-id": "payments"})
    assert reply.json()["amount"] == {"amount": 3998, "currency": "EUR"}
    assert reply.json()["customer_id"] == str(ANNA)
    for caller in ("edge", "users", ""):
        assert (await call(shop.app, "GET", path, headers={"dapr-caller-app-id": caller})).status == 403


async def test_the_price_list_is_public_to_read_and_staffs_to_write(shop: Shop) -> None:
    article = {"name": "Cup", "price": {"amount": 500, "currency": "EUR"}, "stock": 1, "active": True}
    assert (await shop.call("PUT", "/products/cup", article)).status == 403
    made = await shop.call("PUT", "/products/cup", article, role="staff")
    assert made.json() == {"sku": "cup", **article, "options": None}
    page = (await call(shop.app, "GET", "/products?limit=2")).json()
    assert ([item["sku"] for item in page["items"]], page["next"]) == (["cup", "leaflet"], "leaflet")
    rest = (await call(shop.app, "GET", f"/products?limit=2&cursor={page['next']}")).json()["items"]
    assert [item["sku"] for item in rest] == ["pot", "tea"]
    assert (await call(shop.app, "GET", "/products/none")).status == 404
    absurd = article | {"price": {"amount": 10**10 + 1, "currency": "EUR"}}
    assert (await shop.call("PUT", "/products/cup", absurd, role="staff")).status == 422


async def test_a_place_in_the_price_list_that_no_text_of_postgresql_can_be_is_refused(shop: Shop) -> None:
    assert (await call(shop.app, "GET", "/products?cursor=a%00b")).status == 422


@pytest.mark.parametrize(
    ("sku", "delta", "status", "left"),
    [("tea", 5, 200, 15), ("tea", -10, 200, 0), ("tea", -11, 409, 10), ("leaflet", 1, 409, None),
     ("tea", 10**9, 409, 10), ("tea", 2**31, 422, 10)],
)  # fmt: skip
async def test_stock_changes_by_a_delta_and_never_below_nothing(
    shop: Shop, sku: str, delta: int, status: int, left: int | None
) -> None:
    reply = await shop.call("POST", f"/products/{sku}/stock", {"delta": delta}, role="staff")
    assert (reply.status, await shop.left(sku)) == (status, left)
