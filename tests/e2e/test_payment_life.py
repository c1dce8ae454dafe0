"""A payment's life through the edge: held, taken, let go, given back and confirmed by its customer."""

import asyncio
import hmac
import json
import re
import urllib.parse
import urllib.request
from typing import Any
from uuid import uuid4

import pytest

from stack.stand_ins.card_processor_2.cards import token
from tests.support.shop import ADDRESS, Answer, Customer, Shop, until

HELD = "CHF"
"""Money of this currency is only held at first, as long as these tests run."""
SECOND = "SEK"
"""Money of this currency is taken by the second processor."""
EITHER = "NOK"
"""Money of this currency is taken by the first processor, or by the second where the first cannot."""


@pytest.fixture(scope="module", autouse=True)
def held_first(system: Any) -> Any:
    """Route currencies of these tests' own by hand while the system runs."""
    file = system.root / "payments-routes.toml"
    ways = [("stripe", HELD, "manual"), ("checkout-com", SECOND, "automatic")]
    ways += [("stripe", EITHER, "automatic"), ("checkout-com", EITHER, "automatic")]
    route = '[[route]]\nprovider = "{}"\ncurrencies = ["{}"]\ncapture = "{}"\n'
    file.write_text("".join(route.format(*way) for way in ways))
    yield
    file.unlink()


async def _product(shop: Shop, currency: str) -> str:
    sku = f"clock-{uuid4().hex[:8]}"
    product = {"name": "Clock", "price": {"amount": 5000, "currency": currency}, "stock": None, "active": True}
    done = await shop.call("orders", "PUT", f"/products/{sku}", product, token=shop.operator_token("staff"))
    assert done.status in (200, 201), done.text
    return sku


@pytest.fixture
async def francs(shop: Shop) -> str:
    return await _product(shop, HELD)


async def _order(shop: Shop, customer: Customer, sku: str, method: str = "pm_card_visa") -> str:
    body = {"lines": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": method}
    placed = await shop.call("orders", "POST", "/orders", body, token=customer.token, key=uuid4().hex)
    assert placed.status == 201, placed.text
    return str(placed.body["id"])


async def _payment(shop: Shop, customer: Customer, order_id: str, **fields: Any) -> Any:
    """Return the order's payment once each of *fields* has its value."""

    async def reached() -> Any:
        found = await shop.payments(customer, order_id)
        return next((one for one in found if all(one[name] == value for name, value in fields.items())), None)

    return await until(reached, f"the payment of {order_id} to have {fields}")


async def _ask(shop: Shop, path: str, body: Any = None) -> Answer:
    token = shop.operator_token("support")
    return await shop.call("payments", "POST", path, body, token=token, key=uuid4().hex)


async def _held(shop: Shop, customer: Customer, sku: str) -> Any:
    async def held() -> Any:
        order_id = await _order(shop, customer, sku)
        found = await _payment(shop, customer, order_id)
        while found["status"] == "processing":
            await asyncio.sleep(0.05)
            found = await _payment(shop, customer, order_id)
        return found if found["status"] == "requires_capture" else None

    return await until(held, "an order whose money is only held", every_s=0.5)


async def test_held_money_is_taken_in_part_or_let_go_by_call(shop: Shop, customer: Customer, francs: str) -> None:
    first, second = await _held(shop, customer, francs), await _held(shop, customer, francs)
    assert (first["authorised"]["amount"], first["captured"]["amount"]) == (5000, 0)
    assert (await _ask(shop, f"/payments/{first['id']}/capture", {"amount": 5001})).status == 409
    assert (await _ask(shop, f"/payments/{first['id']}/capture", {"amount": 4200})).status == 202
    taken = await _payment(shop, customer, first["order_id"], status="succeeded")
    assert (taken["authorised"]["amount"], taken["captured"]["amount"]) == (0, 4200)
    assert (await _ask(shop, f"/payments/{second['id']}/void")).status == 202
    await _payment(shop, customer, second["order_id"], status="canceled")
    intents = await asyncio.to_thread(shop.system.processor, "/v1/payment_intents?limit=100")
    by_payment = {each["metadata"]["payment_id"]: each for each in intents["data"]}
    assert by_payment[first["id"]]["amount_received"] == 4200
    assert by_payment[second["id"]]["status"] == "canceled"


async def test_parts_go_back_until_nothing_is_left(shop: Shop, customer: Customer, sku: str) -> None:
    order_id = await _order(shop, customer, sku)
    payment = await _payment(shop, customer, order_id, status="succeeded")
    path = f"/payments/{payment['id']}/refunds"
    assert (await _ask(shop, path, {"amount": 500, "reason": "scratched"})).status == 202
    assert (await _ask(shop, path, {"amount": 1499})).status == 202
    assert (await _ask(shop, path, {"amount": 1})).status == 409
    refunded = {"amount": 1999, "currency": "EUR"}
    await _payment(shop, customer, order_id, refunded=refunded)
    entries = await shop.call(
        "payments", "GET", f"/ledger/entries?payment_id={payment['id']}", token=shop.operator_token("staff")
    )
    assert sum(each["debit"] - each["credit"] for each in entries.body["items"]) == 0
    kinds = [each["kind"] for each in entries.body["items"][::2]]
    assert kinds == ["capture", "refund", "refund"]


def _press(url: str, outcome: str) -> str:
    """Do what a customer does in a browser: open the bank's page and press a button."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    with opener.open(url, timeout=60) as page:
        action = re.search(r'action="([^"]+)"', page.read().decode())
    assert action
    target = urllib.parse.urljoin(url, action[1].replace("&amp;", "&"))
    with opener.open(target, f"outcome={outcome}".encode(), timeout=60) as answer:
        return str(answer.headers.get("location", answer.url))


class _Stay(urllib.request.HTTPRedirectHandler):
    """Does not leave for the shop's page, which is not there."""

    def http_error_303(self, _request: Any, file: Any, _code: int, _message: str, _headers: Any) -> Any:
        return file


async def test_a_customer_who_must_confirm_is_sent_to_the_bank_and_pays(
    shop: Shop, customer: Customer, sku: str
) -> None:
    order_id = await _order(shop, customer, sku, "pm_card_authenticationRequired")
    asked = await _payment(shop, customer, order_id, status="requires_action")
    assert (await shop.show(customer, order_id))["status"] == "placed"
    await asyncio.to_thread(_press, asked["next_action"]["url"], "agree")
    paid = await _payment(shop, customer, order_id, status="succeeded")
    assert (paid["captured"]["amount"], paid["next_action"]) == (1999, None)
    await shop.wait_order(customer, order_id, status="paid")


async def test_whoever_refuses_at_the_bank_may_pay_again(shop: Shop, customer: Customer, sku: str) -> None:
    order_id = await _order(shop, customer, sku, "pm_card_authenticationRequired")
    asked = await _payment(shop, customer, order_id, status="requires_action")
    await asyncio.to_thread(_press, asked["next_action"]["url"], "refuse")
    refused = await _payment(shop, customer, order_id, status="requires_payment_method")
    assert refused["attempts"][0]["decline_code"] == "authentication_required"
    body = {"order_id": order_id, "payment_method": "pm_card_mastercard"}
    again = await shop.call("payments", "POST", "/payments", body, token=customer.token, key=uuid4().hex)
    assert again.status == 202, again.text
    paid = await _payment(shop, customer, order_id, status="succeeded")
    assert [each["method"]["last4"] for each in paid["attempts"]][-1] == "4444"
    await shop.wait_order(customer, order_id, status="paid")


@pytest.fixture
async def told_by_the_second(system: Any) -> Any:
    """Have the second processor tell payments, through the edge, what happens to its payments."""
    url = system.invoke_url("payments", "/webhooks/checkout-com")
    wanted = {"name": "shop", "actions": [{"type": "webhook", "url": url}]}
    key = {"Authorization": f"Bearer {system.secret('card-processor-2-key')}"}
    ask = system.stand_in
    made = await asyncio.to_thread(ask, "card-processor-2", "/workflows", "POST", wanted, key)
    yield url
    await asyncio.to_thread(ask, "card-processor-2", f"/workflows/{made['id']}", "DELETE", None, key)


@pytest.mark.usefixtures("told_by_the_second")
async def test_a_routed_currency_is_taken_and_given_back_by_the_second_processor(
    shop: Shop, customer: Customer
) -> None:
    sku, both = await _product(shop, SECOND), f"pm_card_visa-{token('mastercard')}"

    async def routed() -> Any:
        order_id = await _order(shop, customer, sku, both)
        paid = await _payment(shop, customer, order_id, status="succeeded")
        return paid if paid["attempts"][0]["method"]["last4"] == "4444" else None

    # the file of routes is read again within a second
    paid = await until(routed, "an order that the second processor took", every_s=0.5)
    reference = f"{paid['id']}-charge-1"
    found = await asyncio.to_thread(shop.system.second_processor, f"/payments?reference={reference}")
    assert [(each["status"], each["amount"], each["currency"]) for each in found["data"]] == [
        ("Captured", 5000, SECOND)
    ]
    assert (await _ask(shop, f"/payments/{paid['id']}/refunds", {"amount": 1200})).status == 202
    await _payment(shop, customer, paid["order_id"], refunded={"amount": 1200, "currency": SECOND})
    secret = shop.system.secret("card-processor-2-webhook-secret").partition(",")[0].encode()
    unheard = json.dumps({"id": f"evt_{uuid4().hex}", "type": "dispute_won", "data": {"id": "dsp_1"}}).encode()
    signed = {"cko-signature": hmac.digest(secret, unheard, "sha256").hex()}
    answers = [
        (await shop.call("payments", "POST", "/webhooks/checkout-com", body, headers=signed)).status
        for body in (unheard, unheard, unheard + b" ")
    ]
    assert answers == [200, 200, 400], "an unknown kind is kept, twice the same is heard once, a forged one is refused"


@pytest.mark.usefixtures("told_by_the_second")
async def test_what_the_first_processor_cannot_do_the_second_does_and_the_order_is_charged_once(
    shop: Shop, customer: Customer
) -> None:
    method = f"pm_card_chargeDeclinedProcessingError-{token('visa')}"
    order_id = await _order(shop, customer, await _product(shop, EITHER), method)
    paid = await _payment(shop, customer, order_id, status="succeeded")
    assert [(each["status"], each["decline_code"]) for each in paid["attempts"]] == [
        ("declined", "try_again"),
        ("captured", None),
    ]
    assert paid["captured"]["amount"] == 5000
    await shop.wait_order(customer, order_id, status="paid")
    refused = f"pm_card_chargeDeclinedInsufficientFunds-{token('visa')}"
    order_id = await _order(shop, customer, await _product(shop, EITHER), refused)
    said = await _payment(shop, customer, order_id, status="requires_payment_method")
    assert [each["decline_code"] for each in said["attempts"]] == ["insufficient_funds"], "the bank's no stays a no"
