"""While a release is rolled out, the one before works on the new tables: its statements, word for word."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from apps.chassis.hot import Hot
from tests.store.orders.shop import ANNA, Shop, capture, order, refund

# As release 0003 wrote them: placing, settling and cancelling.
_ADD = Hot("""
WITH the_orders AS (
    INSERT INTO orders (id, number, customer_id, status, payment_status, fulfilment_status, total, currency,
        revision, document_revision, placed_at, updated_at)
    VALUES (:id, '0000-0000-0001', :customer_id, 'placed', 'pending', 'unfulfilled', 3998, 'EUR', 1, 1, now(), now())
),
the_lines AS (
    INSERT INTO order_lines (order_id, position, sku, name, quantity, unit_price)
    VALUES (:id, 1, 'tea', 'The tea', 2, 1999)
)
INSERT INTO order_timeline (order_id, entry, at, to_status, payment_status, trigger, actor, cause)
VALUES (:id, 1, now(), 'placed', 'pending', 'order_placed', 'customer', NULL)
""")
_WRITE = Hot("""
WITH moved AS (
    UPDATE orders o SET status = m.status, payment_status = m.payment_status, refunded = m.refunded,
        revision = m.revision, updated_at = now()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:payments AS text[]), CAST(:refunded AS bigint[]),
        CAST(:revisions AS integer[])) AS m(id, status, payment_status, refunded, revision)
    WHERE o.id = m.id
)
INSERT INTO order_timeline (order_id, entry, at, from_status, to_status, payment_status, trigger, actor, cause, note)
SELECT id, revision, now(), 'placed', status, payment_status, 'payment_captured', 'service:payments', NULL, NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:payments AS text[]), CAST(:revisions AS integer[]))
    AS e(id, status, payment_status, revision)
""")


_WHOSE = text("""
SELECT 'lines' AS part, customer_id FROM order_lines WHERE order_id = :id
UNION ALL SELECT 'timeline', customer_id FROM order_timeline WHERE order_id = :id ORDER BY part
""")


async def placed_before(shop: Shop) -> dict[str, Any]:
    id_: UUID = uuid7()
    shop.papers.kept[f"{id_}.1"] = document()
    async with shop.database.transaction() as tx:
        await tx.execute(text("UPDATE products SET stock = stock - 2 WHERE sku = 'tea'"))
        await _ADD.run(tx, id=id_, customer_id=ANNA)
    return await shop.shown(str(id_))


def document() -> bytes:
    body = order(tea=2)
    kept = {key: body[key] for key in ("shipping_address", "note", "payment_method")}
    return orjson.dumps(kept | {"configurations": {}})


async def move_before(shop: Shop, view: dict[str, Any], status: str, payment: str, refunded: int = 0) -> None:
    async with shop.database.transaction() as tx:
        await _WRITE.run(
            tx, ids=[view["id"]], statuses=[status], payments=[payment], refunded=[refunded],
            revisions=[view["revision"] + 1],
        )  # fmt: skip


async def test_an_order_that_the_release_before_placed_is_paid_sent_and_returned_by_this_one(shop: Shop) -> None:
    view = await placed_before(shop)
    await shop.capture(view)
    assert (await shop.ship(view)).status == 201
    assert (await shop.take_back(view, tea=2)).json()["status"] == "returned"
    assert len(await shop.told("order-paid")) == 1


async def test_an_order_that_the_release_before_called_paid_is_edited_and_not_told_paid_again(shop: Shop) -> None:
    view = await placed_before(shop)
    await move_before(shop, view, "paid", "captured")
    changed = await shop.edited(view, tea=3)
    assert (changed["status"], changed["payment_status"]) == ("paid", "pending")
    await shop.deliver(("d", capture(view, 1999, so_far=3 * 1999)), topic="payment-captured")
    assert (await shop.shown(view["id"]))["payment_status"] == "captured"
    assert await shop.told("order-paid") == []


async def test_an_order_that_the_release_before_cancelled_takes_its_refund(shop: Shop) -> None:
    view = await placed_before(shop)
    await move_before(shop, view, "cancelled", "captured")
    await shop.deliver(("r", refund(view, 3998)), topic="payment-refunded")
    assert (await shop.shown(view["id"]))["payment_status"] == "refunded"


async def test_what_the_release_before_writes_is_given_its_customer_in_the_same_statement(shop: Shop) -> None:
    view = await placed_before(shop)
    await move_before(shop, view, "paid", "captured")
    async with shop.database.transaction() as tx:
        found = (await tx.execute(_WHOSE, {"id": view["id"]})).all()
    assert [tuple(row) for row in found] == [("lines", ANNA), ("timeline", ANNA), ("timeline", ANNA)]


@pytest.mark.parametrize("payment", ["captured", "partly_refunded", "refunded"])
async def test_what_the_release_before_writes_about_a_new_order_is_understood(shop: Shop, payment: str) -> None:
    view = await shop.placed(tea=2)
    await move_before(shop, view, "paid", payment, 3998 if payment == "refunded" else 0)
    shown = await shop.shown(view["id"])
    assert (shown["status"], shown["payment_status"], shown["shipments"], shown["returns"]) == ("paid", payment, [], [])
    assert (await shop.ship(view)).status == (409 if payment == "refunded" else 201)
