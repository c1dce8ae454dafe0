from typing import Any

import pytest

from tests.store.orders.shop import BERT, Shop, order
from tests.support.asgi import Reply

CUP: dict[str, Any] = {
    "name": "Cup", "price": {"amount": 500, "currency": "EUR"}, "stock": 9, "active": True,
    "options": {
        "properties": {"engraving": {"type": "string", "maxLength": 8}, "size": {"enum": ["s", "l"]}},
        "required": ["size"], "additionalProperties": False,
    },
}  # fmt: skip


@pytest.fixture
async def cups(shop: Shop) -> Shop:
    reply = await shop.call("PUT", "/products/cup", CUP, role="staff")
    assert (reply.status, reply.json()["options"]) == (200, CUP["options"])
    return shop


async def place(shop: Shop, configuration: Any) -> Reply:
    body = order(cup=1)
    body["lines"][0]["configuration"] = configuration
    return await shop.call("POST", "/orders", body, key=str(configuration))


@pytest.mark.parametrize(("configuration", "pointer"), [
    (None, "#/lines/0/configuration"), ({"size": "m"}, "#/lines/0/configuration/size"),
    ({"size": "s", "engraving": "x" * 9}, "#/lines/0/configuration/engraving"),
    ({"size": "s", "colour": "red"}, "#/lines/0/configuration"),
])  # fmt: skip
async def test_a_configuration_that_the_article_does_not_offer_is_refused_by_its_place(
    cups: Shop, configuration: Any, pointer: str
) -> None:
    reply = await place(cups, configuration)
    assert (reply.status, [error["pointer"] for error in reply.json()["errors"]]) == (422, [pointer])
    assert await cups.count("orders") == 0


async def test_what_was_configured_is_kept_through_edits_and_changed_only_on_purpose(cups: Shop) -> None:
    view = (await place(cups, {"size": "s"})).json()
    assert view["lines"][0]["configuration"] == {"size": "s"}
    stricter = CUP | {"options": {"required": ["engraving"]}}
    await cups.call("PUT", "/products/cup", stricter, role="staff")
    more = (await cups.edited(view, cup=2))["lines"][0]
    assert (more["quantity"], more["configuration"]) == (2, {"size": "s"})
    line = {"sku": "cup", "quantity": 2, "configuration": {"size": "l"}}
    refused = await cups.edit(await cups.shown(view["id"]), lines=[line])
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "#/lines/0/configuration")
    line["configuration"] = {"engraving": "Anna"}
    changed = await cups.edit(await cups.shown(view["id"]), lines=[line])
    assert changed.json()["lines"][0]["configuration"] == {"engraving": "Anna"}


@pytest.mark.parametrize("options", [{"$ref": "http://127.0.0.1:1/"}, {"pattern": "(a+)+$"}, {"type": 1}, {"a\x00": 1}])
async def test_options_that_could_hang_the_shop_are_refused(shop: Shop, options: Any) -> None:
    reply = await shop.call("PUT", "/products/cup", CUP | {"options": options}, role="staff")
    assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "#/options")


async def test_a_quote_says_what_an_order_would_cost_and_keeps_nothing(cups: Shop) -> None:
    body = order({"tea": 2, "leaflet": 1, "pot": 11})
    reply = await cups.call("POST", "/quotes", {"lines": body["lines"]})
    quoted = reply.json()
    assert (reply.status, quoted["total"]) == (200, {"amount": 14 * 1999, "currency": "EUR"})
    assert [(line["sku"], line["available"]) for line in quoted["lines"]] == [
        ("tea", True), ("leaflet", True), ("pot", False),
    ]  # fmt: skip
    assert (await cups.call("POST", "/quotes", order(cup=1))).json()["errors"][0][
        "pointer"
    ] == "#/lines/0/configuration"
    assert (await cups.call("POST", "/quotes", order(nothing=1))).status == 422
    assert not cups.papers.kept
    assert [await cups.count("orders"), await cups.left("tea")] == [0, 10]


@pytest.mark.parametrize("spelled", [lambda number: number, lambda number: number.replace("-", "").lower()])
async def test_an_order_is_found_by_its_number_however_it_is_typed(shop: Shop, spelled: Any) -> None:
    view = await shop.placed(tea=1)
    await shop.placed(tea=1)
    path = f"/orders?number={spelled(view['number'])}"
    assert [item["id"] for item in (await shop.call("GET", path, role="support")).json()["items"]] == [view["id"]]
    assert (await shop.call("GET", path, who=BERT)).json()["items"] == []
    assert (await shop.call("GET", "/orders?number=1")).status == 422
