"""What becomes of an order once it is placed, across orders, payments and the processor: money follows the goods."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.support.shop import ADDRESS, Customer, Shop, until
from tests.support.system import PATIENCE_S

PRICE = 1999


async def paid(shop: Shop, customer: Customer, sku: str, quantity: int = 1) -> dict[str, Any]:
    placed = await shop.order(customer, sku, quantity=quantity)
    assert placed.status == 201, placed.text
    order: dict[str, Any] = await shop.wait_order(customer, placed.body["id"], status="paid", payment_status="captured")
    return order


async def edit(shop: Shop, customer: Customer, order: dict[str, Any], sku: str, quantity: int) -> dict[str, Any]:
    read = await shop.call("orders", "GET", f"/orders/{order['id']}", token=customer.token)
    changed = await shop.call(
        "orders", "PATCH", f"/orders/{order['id']}", {"lines": [{"sku": sku, "quantity": quantity}]},
        token=customer.token, headers={"if-match": read.headers["etag"]},
    )  # fmt: skip
    assert changed.status == 200, changed.text
    body: dict[str, Any] = changed.body
    return body


async def staff(shop: Shop, order: dict[str, Any], path: str, body: Any = None) -> dict[str, Any]:
    done = await shop.call(
        "orders", "POST", f"/orders/{order['id']}{path}", body, token=shop.operator_token("staff"), key=uuid4().hex
    )
    assert done.status in {200, 201}, done.text
    answer: dict[str, Any] = done.body
    return answer


def parcel(sku: str | None = None, quantity: int = 1) -> dict[str, Any]:
    lines = {"lines": [{"sku": sku, "quantity": quantity}]} if sku else {}
    return {"carrier": "DHL", "tracking_number": "00340"} | lines


async def kept(shop: Shop, customer: Customer, order: dict[str, Any], amount: int) -> None:
    """Wait until payments keeps *amount* of the order, by its own word."""

    async def holds() -> bool | None:
        (payment,) = await shop.payments(customer, order["id"])
        return True if payment["captured"]["amount"] - payment["refunded"]["amount"] == amount else None

    await until(holds, f"payments to keep {amount}")


async def test_a_dearer_order_is_charged_the_difference_and_a_cheaper_one_gets_it_back(
    shop: Shop, customer: Customer, sku: str
) -> None:
    order = await paid(shop, customer, sku)
    changed = await edit(shop, customer, order, sku, 3)
    assert (changed["status"], changed["payment_status"]) == ("paid", "pending")
    await shop.wait_order(customer, order["id"], status="paid", payment_status="captured")
    await kept(shop, customer, order, 3 * PRICE)
    await edit(shop, customer, order, sku, 2)
    await shop.wait_order(customer, order["id"], status="paid", payment_status="partly_refunded")
    await kept(shop, customer, order, 2 * PRICE)


async def test_an_order_goes_out_in_parcels_arrives_and_what_comes_back_is_refunded(
    shop: Shop, customer: Customer, sku: str
) -> None:
    order = await paid(shop, customer, sku, quantity=3)
    assert (await staff(shop, order, "/shipments", parcel(sku, 1)))["status"] == "partly_shipped"
    sent = await staff(shop, order, "/shipments", parcel())
    assert sent["status"] == "shipped"
    for shipment in sent["shipments"]:
        arrived = await staff(shop, order, f"/shipments/{shipment['id']}/delivered")
    assert arrived["status"] == "delivered"
    back = {"lines": [{"sku": sku, "quantity": 2}], "reason": "too small"}
    assert (await staff(shop, order, "/returns", back))["status"] == "partly_returned"
    await shop.wait_order(customer, order["id"], payment_status="partly_refunded")
    await kept(shop, customer, order, PRICE)
    await staff(shop, order, "/returns", back | {"lines": [{"sku": sku, "quantity": 1}]})
    await shop.wait_order(customer, order["id"], status="returned", payment_status="refunded")
    await kept(shop, customer, order, 0)


async def test_lines_taken_off_a_half_sent_order_are_refunded(shop: Shop, customer: Customer, sku: str) -> None:
    order = await paid(shop, customer, sku, quantity=2)
    await staff(shop, order, "/shipments", parcel(sku, 1))
    refused = await shop.call("orders", "POST", f"/orders/{order['id']}/cancel", token=customer.token, key=uuid4().hex)
    assert (refused.status, refused.slug) == (409, "illegal-transition")
    assert (await edit(shop, customer, order, sku, 1))["status"] == "shipped"
    await kept(shop, customer, order, PRICE)


async def test_an_order_is_watched_through_the_edge_from_any_point_on(shop: Shop, customer: Customer, sku: str) -> None:
    order = (await shop.order(customer, sku)).body
    seen = await watch(shop, customer, order["id"], "0", until_event="payment_captured")
    assert [event["to"] for event in seen] == ["placed", "paid"]
    cancelling = asyncio.create_task(watch(shop, customer, order["id"], "2", until_event="customer_cancelled"))
    await shop.call("orders", "POST", f"/orders/{order['id']}/cancel", token=customer.token, key=uuid4().hex)
    assert [event["to"] for event in await cancelling] == ["cancelled"]


async def watch(shop: Shop, customer: Customer, order_id: str, last: str, *, until_event: str) -> list[dict[str, Any]]:
    """Watch as a browser does: a stream that ends before the event came is opened anew after the last one seen."""
    url = shop.system.invoke_url("orders", f"/orders/{order_id}/events")
    found: list[dict[str, Any]] = []
    assert shop._session
    async with asyncio.timeout(PATIENCE_S):
        while True:
            headers = {"authorization": f"Bearer {customer.token}", "last-event-id": last}
            async with shop._session.get(url, headers=headers, timeout=aiohttp.ClientTimeout(total=60)) as stream:
                assert stream.headers["content-type"].startswith("text/event-stream")
                event = number = ""
                async for raw in stream.content:
                    name, _, value = raw.decode().strip().partition(": ")
                    if name == "event":
                        event = value
                    elif name == "id":
                        number = value
                    elif name == "data":
                        found.append(json.loads(value))
                        last = number
                        if event == until_event:
                            return found


async def test_a_flash_sale_sells_what_there_is_and_refuses_the_rest_in_plain_words(
    shop: Shop, customer: Customer
) -> None:
    await flash_sale(shop, [customer.token] * 200, units=10, at_once=50)


async def flash_sale(shop: Shop, buyers: list[str], *, units: int, at_once: int) -> list[float]:
    """Let the *buyers* of these tokens want one of *units* each; return how long the winners waited, in seconds."""
    sku, gate = f"rare-{uuid4().hex[:8]}", asyncio.Semaphore(at_once)
    await shop.put_product(sku, stock=units)
    body = {"lines": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    waits: list[float] = []
    loop = asyncio.get_running_loop()

    async def buy(token: str) -> int:
        async with gate:
            began = loop.time()
            answer = await shop.call("orders", "POST", "/orders", body, token=token, key=uuid4().hex)
            if answer.status == 201:
                waits.append(loop.time() - began)
            else:
                assert (answer.status, answer.slug) == (409, "out-of-stock"), answer.text
            return answer.status

    statuses = await asyncio.gather(*(buy(token) for token in buyers))
    assert (statuses.count(201), statuses.count(409)) == (units, len(buyers) - units)
    assert (await shop.call("orders", "GET", f"/products/{sku}")).body["stock"] == 0
    return waits


@pytest.mark.soak
async def test_a_flash_sale_of_full_size_serves_its_winners_within_three_seconds(shop: Shop) -> None:
    buyers = await asyncio.to_thread(lambda: [shop.operator_token("customer", str(uuid4())) for _ in range(2_000)])
    waits = sorted(await flash_sale(shop, buyers, units=100, at_once=200))
    print(f"winners waited {waits[50]:.2f} s in the middle, {waits[98]:.2f} s at p99")
    assert waits[98] < 3
