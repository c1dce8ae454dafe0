"""Whatever clients send that is wrong is told as a problem with a 4xx status, and nothing is written."""

import json
import time
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest

from tests.support.shop import ADDRESS, Customer, Shop

CARD = "4242 4242 4242 4242"
Json = dict[str, Any]


pytestmark = pytest.mark.usefixtures("nothing_written")


def an_order(sku: str, **changes: Any) -> Json:
    order = {"lines": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    return {name: value for name, value in (order | changes).items() if value is not ...}


MALFORMED = {
    "cut": b'{"lines": [{"sku": "tea"',
    "no JSON": b"lines=tea",
    "no UTF-8": b'{"lines": "\xff\xfe"}',
    "not a number": b'{"lines": NaN}',
    "empty": b"",
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_no_json_is_refused(case: str, shop: Shop, customer: Customer) -> None:
    answer = await shop.call("orders", "POST", "/orders", MALFORMED[case], token=customer.token, key=uuid4().hex)
    assert answer.status in (400, 422), answer.text
    assert answer.slug in ("malformed-json", "invalid-content", "bad-request")


WRONG: dict[str, tuple[Json, str]] = {
    "lines are a text": ({"lines": "tea"}, "#/lines"),
    "no lines": ({"lines": []}, "#/lines"),
    "lines missing": ({"lines": ...}, "#/lines"),
    "too many lines": ({"lines": [{"sku": f"a{n}", "quantity": 1} for n in range(101)]}, "#/lines"),
    "quantity zero": ({"lines": [{"sku": "tea", "quantity": 0}]}, "#/lines/0/quantity"),
    "quantity below zero": ({"lines": [{"sku": "tea", "quantity": -1}]}, "#/lines/0/quantity"),
    "quantity broken": ({"lines": [{"sku": "tea", "quantity": 1.5}]}, "#/lines/0/quantity"),
    "quantity huge": ({"lines": [{"sku": "tea", "quantity": 10**30}]}, "#/lines/0/quantity"),
    "sku a path": ({"lines": [{"sku": "../../etc", "quantity": 1}]}, "#/lines/0/sku"),
    "sku a statement": ({"lines": [{"sku": "a'; DROP TABLE orders; --", "quantity": 1}]}, "#/lines/0/sku"),
    "address a text": ({"shipping_address": "London"}, "#/shipping_address"),
    "no country": ({"shipping_address": {**ADDRESS, "country": "Freedonia"}}, "#/shipping_address/country"),
    "zero byte": ({"shipping_address": {**ADDRESS, "city": "Lon\x00don"}}, "#/shipping_address/city"),
    "payment a number": ({"payment_method": 4242}, "#/payment_method"),
    "payment a card": ({"payment_method": CARD}, "#/payment_method"),
    "note a card": ({"note": f"please charge {CARD}"}, "#/note"),
    "note too long": ({"note": "x" * 100_000}, "#/note"),
    "address a card": ({"shipping_address": {**ADDRESS, "line2": CARD.replace(" ", "-")}}, "#/shipping_address/line2"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_field_is_named(case: str, shop: Shop, customer: Customer, scarce: str) -> None:
    changes, pointer = WRONG[case]
    order = an_order(scarce, **changes)
    answer = await shop.call("orders", "POST", "/orders", order, token=customer.token, key=uuid4().hex)
    assert (answer.status, answer.slug) == (422, "invalid-content"), answer.text
    assert pointer in {error["pointer"] for error in answer.body["errors"]}
    assert "4242" not in answer.text


async def test_a_card_number_in_a_configuration_is_refused(shop: Shop, customer: Customer, scarce: str) -> None:
    order = an_order(scarce, lines=[{"sku": scarce, "quantity": 1, "configuration": {"engraving": [CARD]}}])
    answer = await shop.call("orders", "POST", "/orders", order, token=customer.token, key=uuid4().hex)
    assert (answer.status, answer.slug) == (422, "invalid-content")


async def test_an_unknown_sku_is_named_by_its_line(shop: Shop, customer: Customer, scarce: str) -> None:
    order = an_order(scarce, lines=[{"sku": scarce, "quantity": 1}, {"sku": "no-such-thing", "quantity": 1}])
    answer = await shop.call("orders", "POST", "/orders", order, token=customer.token, key=uuid4().hex)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.body["errors"]] == ["#/lines/1/sku"]


async def test_more_than_there_is_cannot_be_ordered(shop: Shop, customer: Customer, scarce: str) -> None:
    answer = await shop.order(customer, scarce, quantity=8)
    assert (answer.status, answer.slug) == (409, "out-of-stock")
    assert scarce in answer.body["detail"]


async def test_another_persons_order_and_payment_are_not_found(shop: Shop, customer: Customer) -> None:
    other = await shop.register()
    theirs = f"tea-{uuid4().hex[:8]}"
    await shop.put_product(theirs)
    order_id = (await shop.order(other, theirs)).body["id"]
    await shop.wait_order(other, order_id, status="paid")
    [payment] = (await shop.call("payments", "GET", f"/payments?order_id={order_id}", token=other.token)).body["items"]
    for app_id, method, path in (
        ("orders", "GET", f"/orders/{order_id}"),
        ("orders", "GET", f"/orders/{order_id}/timeline"),
        ("orders", "POST", f"/orders/{order_id}/cancel"),
        ("payments", "GET", f"/payments/{payment['id']}"),
    ):
        answer = await shop.call(app_id, method, path, {}, token=customer.token, key=uuid4().hex)
        assert answer.status == 404, (path, answer.text)
        assert answer.slug.endswith("not-found")
    listed = await shop.call("payments", "GET", f"/payments?order_id={order_id}", token=customer.token)
    assert listed.status == 404 or listed.body["items"] == []
    again = {"order_id": order_id, "payment_method": "pm_card_visa"}
    refused = await shop.call("payments", "POST", "/payments", again, token=customer.token, key=uuid4().hex)
    assert refused.status == 404, refused.text
    assert (await shop.show(other, order_id))["status"] == "paid"


@pytest.mark.parametrize(
    "path",
    ["/orders/no-uuid", "/orders/1", f"/orders/{uuid4()}", f"/orders/{'9' * 2000}"],
    ids=["no-uuid", "number", "unknown", "long"],
)
async def test_ids_that_name_nothing(path: str, shop: Shop, customer: Customer) -> None:
    answer = await shop.call("orders", "GET", path, token=customer.token)
    assert answer.status in (404, 422), answer.text
    assert answer.slug in ("order-not-found", "invalid-content")


@pytest.mark.parametrize(
    ("header", "slug"), [({}, "idempotency-key-required"), ({"idempotency-key": "x" * 256}, "idempotency-key-invalid")]
)
async def test_an_order_needs_a_usable_key(
    header: dict[str, str], slug: str, shop: Shop, customer: Customer, scarce: str
) -> None:
    answer = await shop.call("orders", "POST", "/orders", an_order(scarce), token=customer.token, headers=header)
    assert (answer.status, answer.slug) == (400, slug)


async def test_a_key_does_not_serve_twice_for_different_orders(shop: Shop) -> None:
    buyer, key = await shop.register(), uuid4().hex
    plenty = f"tea-{uuid4().hex[:8]}"
    await shop.put_product(plenty)
    first = await shop.order(buyer, plenty, key=key)
    assert first.status == 201
    other = await shop.order(buyer, plenty, key=key, quantity=2)
    assert (other.status, other.slug) == (422, "idempotency-key-reused")
    listed = await shop.call("orders", "GET", "/orders", token=buyer.token)
    assert [order["id"] for order in listed.body["items"]] == [first.body["id"]]


@pytest.mark.parametrize(("app_id", "path"), [("orders", "/orders"), ("users", "/users"), ("payments", "/payments")])
async def test_five_megabytes_are_too_much(app_id: str, path: str, shop: Shop, customer: Customer, scarce: str) -> None:
    body = BytesIO(json.dumps(an_order(scarce, note="x" * 5_000_000)).encode())
    assert shop._session
    headers = {"authorization": f"Bearer {customer.token}", "idempotency-key": uuid4().hex}
    async with shop._session.post(shop.system.invoke_url(app_id, path), data=body, headers=headers) as answer:
        assert answer.status == 413, await answer.text()
        assert (await answer.json(content_type="application/problem+json"))["type"].endswith("/content-too-large")


async def test_five_megabytes_without_a_length_are_too_much(shop: Shop, customer: Customer) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100_000

    assert shop._session
    headers = {"authorization": f"Bearer {customer.token}", "idempotency-key": uuid4().hex}
    url = shop.system.invoke_url("orders", "/orders")
    async with shop._session.post(url, data=trickle(), headers=headers) as answer:
        assert answer.status == 413, await answer.text()


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PROPFIND"])
async def test_unusual_methods_end_at_the_edge(method: str, shop: Shop) -> None:
    url = shop.system.invoke_url("orders", "/orders")
    assert shop._session
    secret = "Bearer kept-to-yourself"
    async with shop._session.request(method, url, headers={"authorization": secret}) as answer:
        assert 400 <= answer.status < 500
        assert secret not in await answer.text(), "TRACE must not echo what was sent"


async def test_headers_beyond_any_measure_are_refused(shop: Shop, customer: Customer) -> None:
    headers = {f"x-filler-{n}": "x" * 4000 for n in range(20)}
    answer = await shop.call("orders", "GET", "/orders", token=customer.token, headers=headers)
    assert 400 <= answer.status < 500, answer.text


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/orders"), ("PUT", "/orders"), ("GET", "/no/such/thing")])
async def test_what_is_not_offered_ends_at_the_sidecar(method: str, path: str, shop: Shop, customer: Customer) -> None:
    answer = await shop.call("orders", method, path, token=customer.token)
    assert answer.status == 403, answer.text


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=many", "cursor=elsewhere", "status=lost", "placed_from=yesterday"]
)
async def test_a_list_refuses_what_it_does_not_know(query: str, shop: Shop, customer: Customer) -> None:
    answer = await shop.call("orders", "GET", f"/orders?{query}", token=customer.token)
    assert (answer.status, answer.slug) == (422, "invalid-content"), answer.text
    assert answer.body["errors"][0]["pointer"] == f"query/{query.partition('=')[0]}"


SIGN_UPS: dict[str, Json] = {
    "no address": {"email": "nobody", "password": "a long and unusual password"},
    "a list": {"email": ["a@example.org"], "password": "a long and unusual password"},
    "short password": {"email": "ada@example.org", "password": "short"},
    "endless password": {"email": "ada@example.org", "password": "x" * 10_000},
    "a line break": {"email": "ada@example.org\r\nBcc: eve@example.org", "password": "a long and unusual password"},
}


@pytest.mark.parametrize("case", SIGN_UPS)
async def test_a_sign_up_that_cannot_be(case: str, shop: Shop) -> None:
    answer = await shop.call("users", "POST", "/users", SIGN_UPS[case])
    assert (answer.status, answer.slug) == (422, "invalid-content"), answer.text
    assert "unusual" not in answer.text


async def test_a_webhook_without_a_true_signature_is_refused(shop: Shop) -> None:
    event = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}}
    signatures = [None, "t=1,v1=00", f"t={int(time.time())},v1={'0' * 64}"]
    for signature in signatures:
        headers = {"stripe-signature": signature} if signature else {}
        answer = await shop.call("payments", "POST", "/webhooks/stripe", event, headers=headers)
        assert 400 <= answer.status < 500, (signature, answer.text)
        assert answer.slug
