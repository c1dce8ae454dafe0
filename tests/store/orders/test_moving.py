"""Documents on the way from one store to another, and orders that are read meanwhile."""

from typing import Any

import orjson
import pytest

from apps.chassis import copying
from tests.store.orders.shop import ANNA, Shop
from tests.support.asgi import Reply, call

NEXT = {"role": "order-details", "source": "order-details", "target": "order-details-next"}


async def copy(shop: Shop, **asked: Any) -> Reply:
    return await call(shop.app, "POST", "/internal/operator/documents/copy", NEXT | asked)


async def test_every_document_that_an_order_names_is_copied_page_by_page(shop: Shop) -> None:
    for _ in range(5):
        await shop.placed(tea=1)
    shop.papers.kept["orphan.1"] = b"{}"
    copied = shop.papers.others["order-details-next"] = {}
    after, figures = "", []
    while after is not None:
        page = (await copy(shop, after=after, limit=2)).json()
        figures.append((page["checked"], page["copied"], page["lost"]))
        after = page["next"]
    assert figures == [(2, 2, []), (2, 2, []), (1, 1, [])]
    assert copied == {key: value for key, value in shop.papers.kept.items() if key != "orphan.1"}


async def test_what_was_copied_is_left_alone_and_the_rest_follows(shop: Shop) -> None:
    copied = shop.papers.others["order-details-next"] = {}
    await shop.placed(tea=1)
    await copy(shop)
    await shop.placed(tea=1)
    page = (await copy(shop)).json()
    assert (page["checked"], page["copied"], page["next"]) == (2, 1, None)
    assert copied == shop.papers.kept


async def test_a_pass_ends_with_what_was_there_at_its_beginning_however_much_is_written(shop: Shop) -> None:
    copied = shop.papers.others["order-details-next"] = {}
    first = [await shop.placed(tea=1) for _ in range(3)]
    page = (await copy(shop, limit=2)).json()
    for _ in range(4):
        await shop.placed(tea=1)
    rest = (await copy(shop, limit=2, after=page["next"], until=page["until"])).json()
    assert (rest["checked"], rest["next"], rest["until"]) == (1, None, page["until"])
    assert copied.keys() == {f"{view['id']}.1" for view in first}


async def test_where_there_is_no_order_nothing_is_copied(shop: Shop) -> None:
    shop.papers.others["order-details-next"] = {}
    assert (await copy(shop)).json() == {"checked": 0, "copied": 0, "lost": [], "next": None, "until": ""}


async def test_a_store_that_reads_behind_what_it_has_written_is_asked_again(shop: Shop) -> None:
    await shop.placed(tea=1)
    shop.papers.others["order-details-next"] = {}
    shop.papers.behind = 2
    assert (await copy(shop)).json()["copied"] == 1


async def test_a_store_that_forgets_what_it_was_given_stops_the_copy(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "READ_BACK_PAUSE_S", 0.0)
    await shop.placed(tea=1)
    shop.papers.others["order-details-next"] = {}
    shop.papers.behind = copying.READ_BACK_TRIES + 1
    assert (await copy(shop)).json()["type"] == "/problems/copy-differs"


async def test_a_document_in_neither_store_is_named(shop: Shop) -> None:
    shop.papers.others["order-details-next"] = {}
    view = await shop.placed(tea=1)
    shop.papers.kept.clear()
    assert (await copy(shop)).json()["lost"] == [f"{view['id']}.1"]


def forgetful(_value: bytes) -> bytes:
    return b'{"note": "lost"}'


def pretty(value: bytes) -> bytes:
    return orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


async def test_a_store_that_gives_back_something_else_stops_the_copy(shop: Shop) -> None:
    await shop.placed(tea=1)
    shop.papers.others["order-details-next"] = {}
    shop.papers.form = forgetful
    reply = await copy(shop)
    assert (reply.status, reply.json()["type"]) == (409, "/problems/copy-differs")


async def test_a_store_that_keeps_the_same_json_in_another_form_is_fine(shop: Shop) -> None:
    await shop.placed(tea=1)
    shop.papers.others["order-details-next"] = {}
    shop.papers.form = pretty
    assert (await copy(shop)).json()["copied"] == 1


async def test_an_order_is_shown_from_the_store_before_and_else_answers_503_never_404(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    shop.papers.others["order-details-previous"] = dict(shop.papers.kept)
    shop.papers.kept.clear()
    assert await shop.shown(view["id"]) == view
    assert (await shop.call("GET", "/orders")).json()["items"] == [view]
    shop.papers.others["order-details-previous"].clear()
    for path in (f"/orders/{view['id']}", "/orders"):
        assert (await shop.call("GET", path, who=ANNA)).status == 503
    del shop.papers.others["order-details-previous"]
    assert (await shop.call("GET", f"/orders/{view['id']}")).status == 503


@pytest.mark.parametrize("path", ["copy", "hold", "release/order-details"])
async def test_only_the_operator_moves_documents(path: str, shop: Shop) -> None:
    for caller in ("edge", "payments", "orders"):
        headers = {"dapr-caller-app-id": caller}
        body = NEXT | {"component": "order-details", "seconds": 1}
        assert (await call(shop.app, "POST", f"/internal/operator/documents/{path}", body, headers)).status == 403


async def test_orders_wait_while_their_store_is_held_and_are_placed_afterwards(shop: Shop) -> None:
    held = await call(
        shop.app, "POST", "/internal/operator/documents/hold", {"component": "order-details", "seconds": 0.2}
    )
    assert held.status == 204
    assert (await shop.place(tea=1)).status == 201, "holding ends by itself"
