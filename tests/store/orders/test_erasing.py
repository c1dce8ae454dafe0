from typing import Any

import orjson
from sqlalchemy import text

from tests.store.orders.shop import ANNA, BERT, Shop

ERASED = {"version": 1, "sequence": 5, "user_id": str(ANNA), "erased_at": "2026-01-01T00:00:00Z"}


async def forget(shop: Shop) -> None:
    await shop.deliver(("e", ERASED), topic="user-erased")
    await shop.tick()


async def with_everything(shop: Shop) -> dict[str, Any]:
    view = await shop.paid(tea=2)
    view = (await shop.edit(view, note="Anna lives behind the mill")).json()
    await shop.ship(view)
    await shop.take_back(view, tea=1)
    return await shop.shown(view["id"])


async def test_names_addresses_and_notes_go_and_amounts_and_lines_stay(shop: Shop) -> None:
    before = await with_everything(shop)
    await forget(shop)
    after = await shop.shown(before["id"])
    for kept in ("number", "total", "lines", "status", "payment_status", "customer_id"):
        assert after[kept] == before[kept]
    assert (after["note"], after["shipping_address"]["name"], after["shipping_address"]["country"]) == (
        None, "erased", "DE",
    )  # fmt: skip
    assert after["returns"][0]["refund"] == before["returns"][0]["refund"]
    assert (after["returns"][0]["reason"], after["shipments"][0]["tracking_number"]) == ("erased", "erased")
    trail = (await shop.call("GET", f"/orders/{before['id']}/timeline")).json()["items"]
    assert {entry["note"] for entry in trail} == {None}
    assert trail[-1]["trigger"] == "personal_data_erased"
    document = orjson.loads(shop.papers.kept[await current(shop, before)])
    assert b"Weg" not in orjson.dumps(document)


async def current(shop: Shop, view: dict[str, Any]) -> str:
    async with shop.database.transaction() as tx:
        revision = await tx.scalar(text("SELECT document_revision FROM orders WHERE id = :id"), {"id": view["id"]})
    return f"{view['id']}.{revision}"


async def test_what_has_still_to_be_sent_keeps_its_address_until_it_is(shop: Shop) -> None:
    view = await shop.paid(tea=1)
    await forget(shop)
    assert (await shop.shown(view["id"]))["shipping_address"]["line1"] == "Weg 1"
    await shop.ship(view)
    async with shop.database.transaction() as tx:
        await tx.execute(text("UPDATE erasures SET tried_at = now() - interval '2 hours'"))
    await shop.tick()
    assert (await shop.shown(view["id"]))["shipping_address"]["line1"] == "erased"
    assert await shop.count("erasures") == 0


async def test_nobody_else_is_forgotten(shop: Shop) -> None:
    await shop.placed(tea=1, who=BERT)
    (mine,) = [await shop.placed(tea=1)]
    await shop.cancel(mine)
    theirs = (await shop.call("GET", "/orders", who=BERT)).json()["items"]
    await forget(shop)
    assert (await shop.call("GET", "/orders", who=BERT)).json()["items"] == theirs
    assert (await shop.shown(mine["id"]))["shipping_address"]["city"] == "erased"


async def test_a_store_that_is_away_puts_it_off_and_no_more(shop: Shop) -> None:
    view = await shop.placed(tea=1)
    await shop.cancel(view)
    shop.papers.away = True
    await forget(shop)
    shop.papers.away = False
    assert (await shop.shown(view["id"]))["shipping_address"]["line1"] == "Weg 1"
    async with shop.database.transaction() as tx:
        await tx.execute(text("UPDATE erasures SET tried_at = NULL"))
    await shop.tick()
    assert (await shop.shown(view["id"]))["shipping_address"]["line1"] == "erased"
