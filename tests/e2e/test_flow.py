"""One order from the edge to the mailbox, and what may become of it."""

import asyncio
import re
from uuid import uuid4

from tests.support.shop import Customer, Shop


async def test_an_order_is_placed_paid_and_confirmed_by_mail(shop: Shop, customer: Customer, sku: str) -> None:
    placed = await shop.order(customer, sku, quantity=2)
    assert placed.status == 201, placed.text
    order = placed.body
    assert order["total"] == {"amount": 3998, "currency": "EUR"}
    assert placed.headers["location"].endswith(order["id"])
    assert "etag" in placed.headers

    paid = await shop.wait_order(customer, order["id"], status="paid", payment_status="captured")
    assert [line["sku"] for line in paid["lines"]] == [sku]
    assert paid["shipping_address"]["city"] == "London"
    mail = await shop.wait_mail(customer.email, order["number"])
    assert "39.98" in mail["html"]

    timeline = await shop.call("orders", "GET", f"/orders/{order['id']}/timeline", token=customer.token)
    steps = [(item["trigger"], item["to"]) for item in timeline.body["items"]]
    assert steps[0][1] == "placed"
    assert steps[-1][1] == "paid"
    assert all(item["at"] and item["actor"] for item in timeline.body["items"])


async def test_the_processor_has_one_charge_of_the_orders_amount(shop: Shop, customer: Customer, sku: str) -> None:
    order = (await shop.order(customer, sku, quantity=3)).body
    await shop.wait_order(customer, order["id"], status="paid")
    [payment] = await shop.payments(customer, order["id"])
    assert payment["captured"] == {"amount": 5997, "currency": "EUR"}
    assert payment["attempts"][0]["method"]["last4"] == "4242"
    intents = await asyncio.to_thread(shop.system.processor, "/v1/payment_intents?limit=100")
    amounts = [intent["amount"] for intent in intents["data"] if order["id"] in str(intent["metadata"])]
    assert amounts == [5997]


async def test_a_declined_card_leaves_the_order_unpaid_and_says_why(shop: Shop, customer: Customer, sku: str) -> None:
    order = (await shop.order(customer, sku, method="pm_card_chargeDeclinedInsufficientFunds")).body
    declined = await shop.wait_order(customer, order["id"], payment_status="declined")
    assert declined["status"] == "placed"
    [payment] = await shop.payments(customer, order["id"])
    assert payment["attempts"][0]["decline_code"] == "insufficient_funds"
    await shop.wait_mail(customer.email, order["number"])


async def test_cancelling_a_paid_order_refunds_it(shop: Shop, customer: Customer, sku: str) -> None:
    order = (await shop.order(customer, sku)).body
    await shop.wait_order(customer, order["id"], status="paid")
    cancelled = await shop.call(
        "orders", "POST", f"/orders/{order['id']}/cancel", {"reason": "changed my mind"},
        token=customer.token, key=uuid4().hex,
    )  # fmt: skip
    assert cancelled.status == 202, cancelled.text
    await shop.wait_order(customer, order["id"], status="cancelled", payment_status="refunded")
    intents = await asyncio.to_thread(shop.system.processor, "/v1/refunds?limit=100")
    assert 1999 in [refund["amount"] for refund in intents["data"]]


async def test_the_same_idempotency_key_makes_one_order(shop: Shop, customer: Customer, sku: str) -> None:
    key = uuid4().hex
    first, second = [await shop.order(customer, sku, key=key) for _ in range(2)]
    assert (second.status, second.body["id"]) == (201, first.body["id"])
    assert second.headers["idempotent-replayed"] == "true"
    orders = await shop.call("orders", "GET", "/orders", token=customer.token)
    assert [order["id"] for order in orders.body["items"]] == [first.body["id"]]


async def test_limited_stock_is_sold_once(shop: Shop, customer: Customer) -> None:
    sku = f"rare-{uuid4().hex[:8]}"
    await shop.put_product(sku, stock=5)
    answers = await asyncio.gather(*(shop.order(customer, sku) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 15
    assert {answer.slug for answer in answers if answer.status == 409} == {"out-of-stock"}
    product = await shop.call("orders", "GET", f"/products/{sku}")
    assert product.body["stock"] == 0


async def test_an_account_is_verified_by_the_mail_it_gets(shop: Shop) -> None:
    customer = await shop.register()
    mail = await shop.wait_mail(customer.email, "verif")
    me = await shop.call("users", "GET", "/users/me", token=customer.token)
    assert me.body["email_verified"] is False
    candidates = re.findall(r"[A-Za-z0-9_-]{20,}", mail["html"])
    answers = [await shop.call("users", "POST", "/users/verify-email", {"token": token}) for token in candidates]
    assert 204 in {answer.status for answer in answers}
    me = await shop.call("users", "GET", "/users/me", token=customer.token)
    assert me.body["email_verified"] is True


async def test_a_call_by_header_is_the_same_as_a_call_by_path(shop: Shop, sku: str) -> None:
    by_path = await shop.call("orders", "GET", f"/products/{sku}")
    url = f"{shop.system.edge}/products/{sku}"
    assert shop._session
    async with shop._session.get(url, headers={"dapr-app-id": "orders"}) as by_header:
        assert (by_header.status, await by_header.json()) == (200, by_path.body)
