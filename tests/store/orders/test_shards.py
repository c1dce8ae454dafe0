"""Sharded by customer, all that a customer or payments causes reaches that customer's server and no other."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from uuid import UUID

import pytest

from apps.orders import asking, erasing, intents, leaving, reading, settling
from apps.orders.tables import Key
from tests.store.orders.mortal import NOW
from tests.store.orders.shards import Asked, Wire, lay_out
from tests.store.orders.shop import (
    Shop,
    authorise,
    capture,
    decline,
    open_shop,
    refund,
    settings_from_environment,
    void,
)
from tests.store.orders.till_model import Till
from tests.support.asgi import APP_TOKEN
from tests.support.postgres import Cluster

OF_ALL = {
    "staff, and payments for a price: who know an order by its id": re.compile(
        r"FROM orders\s+WHERE (orders\.)?id = \S+( ORDER BY|$)"
    ),
    "staff, who list and search": re.compile(r"FROM orders\s+(WHERE (number|status) = \S+ )?ORDER BY id DESC LIMIT"),
    "the clock: whoever nobody paid for": re.compile(re.escape(settling._TAKE_UNPAID.text.strip()[:60])),
    "the clock: who waits for payments": re.compile(r"(?s)FROM orders.*orders\.asked_at.*SKIP LOCKED"),
    "the clock: documents that nothing names": re.compile(re.escape("AS w(key)")),
}
"""Who asks everybody's shards, and how it is known: by an id, a status or a number, without a customer."""


@pytest.fixture(scope="module")
def wire(postgres_cluster: Cluster, database_for: Callable[[str], str]) -> Iterator[tuple[str, Wire]]:
    url, shards = lay_out(postgres_cluster, database_for)
    with postgres_cluster.connect("postgres", "postgres") as server:
        yield url, Wire(shards, server)


@pytest.fixture
async def shop(wire: tuple[str, Wire], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    for name, value in (("APP_PORT", "1"), ("APP_API_TOKEN", APP_TOKEN), ("ORDERS_ASK_AFTER", "PT0S"),
                        ("ORDERS_EXPIRE_AFTER", "PT0S")):  # fmt: skip
        monkeypatch.setenv(name, value)
    shop = open_shop(wire[0], settings_from_environment(), 2)
    shop.papers.kept = wire[1].documents
    await shop.stock(tea=1000)
    yield shop
    await shop.database.close()


async def homes(shop: Shop) -> dict[int, UUID]:
    """Return a customer of each shard."""
    found: dict[int, UUID] = {}
    async with shop.database.reading() as connection:
        for number in range(1000, 1100):
            where = f"SELECT satisfies_hash_partition('orders'::regclass, 2, 0, '{UUID(int=number)}'::uuid)"
            shard = 0 if (await connection.exec_driver_sql(where)).scalar_one() else 1
            found.setdefault(shard, UUID(int=number))
    assert len(found) == 2
    return found


def strays(asked: list[Asked], home: int) -> list[Asked]:
    return [each for each in asked if not each.names_customers or (each.planned | each.reached) - {home}]


async def buy_and_change(shop: Shop, who: UUID) -> None:
    """Do all that a customer can do."""
    assert (await shop.call("POST", "/quotes", {"lines": [{"sku": "tea", "quantity": 1}]}, who=who)).status == 200
    view = await shop.placed(who=who, tea=2)
    again = await shop.place({"tea": 1}, who=who, key="mine")
    assert (await shop.place({"tea": 1}, who=who, key="mine")).body == again.body
    for path in ("", "?status=placed", f"?number={view['number']}", "?limit=1", f"/{view['id']}"):
        assert (await shop.call("GET", f"/orders{path}", who=who)).status == 200
    lines = {"lines": [{"sku": "tea", "quantity": 3}], "note": "ring twice"}
    reply = await shop.call("PATCH", f"/orders/{view['id']}", lines, who=who, match=f'"{view["revision"]}"')
    assert reply.status == 200, reply.body
    streams = shop.chassis.extra.streams
    watcher = streams.watch(Key(UUID(view["id"]), who), 0)
    assert (await anext(watcher)).startswith(b"retry")
    await streams.look()
    assert b"order_placed" in await anext(watcher)
    await watcher.aclose()
    assert (await shop.call("POST", f"/orders/{view['id']}/cancel", who=who, key="c")).status == 202
    trail = (await shop.call("GET", f"/orders/{view['id']}/timeline", who=who)).json()["items"]
    assert [entry["trigger"] for entry in trail] == ["order_placed", "edited_to_owe", "customer_cancelled"]


@pytest.mark.parametrize("home", [0, 1])
async def test_all_that_a_customer_does_reaches_the_customers_shard_alone(
    shop: Shop, wire: tuple[str, Wire], home: int
) -> None:
    who = (await homes(shop))[home]
    with wire[1].tapped() as asked:
        await buy_and_change(shop, who)
    assert strays(asked, home) == []
    assert {number for each in asked for number in each.reached} == {home}
    assert len(asked) >= 15


@pytest.mark.parametrize("home", [0, 1])
async def test_all_that_payments_says_of_an_order_reaches_its_customers_shard_alone(
    shop: Shop, wire: tuple[str, Wire], home: int
) -> None:
    who = (await homes(shop))[home]
    view, held = await shop.placed(who=who, tea=2), await shop.placed(who=who, tea=1)
    with wire[1].tapped() as asked:
        await shop.deliver((f"d-{view['id']}", decline(view)), topic="payment-declined")
        await shop.deliver((f"c-{view['id']}", capture(view)), topic="payment-captured")
        await shop.deliver((f"r-{view['id']}", refund(view, 1999)), topic="payment-refunded")
        await shop.deliver((f"a-{held['id']}", authorise(held)), topic="payment-authorised")
        await shop.deliver((f"v-{held['id']}", void(held)), topic="payment-voided")
        await shop.deliver((f"e-{who}", {"version": 1, "sequence": 1, "user_id": str(who),
                                         "erased_at": "2026-01-01T00:00:00Z"}), topic="user-erased")  # fmt: skip
        await erasing.erase_people(shop.chassis)
    assert (await shop.shown(view["id"], who))["payment_status"] == "partly_refunded"
    assert strays(asked, home) == []
    assert len(asked) >= 10


async def test_a_batch_about_customers_of_both_shards_settles_both(shop: Shop, wire: tuple[str, Wire]) -> None:
    views = [await shop.placed(who=who, tea=1) for who in (await homes(shop)).values()]
    with wire[1].tapped() as asked:
        await shop.deliver(*((f"c-{view['id']}", capture(view)) for view in views), topic="payment-captured")
    assert [(await shop.shown(view["id"], UUID(view["customer_id"])))["status"] for view in views] == ["paid"] * 2
    assert all(each.names_customers for each in asked)


async def test_only_staff_and_the_clock_ask_all_shards_and_what_follows_is_asked_of_one(
    shop: Shop, wire: tuple[str, Wire]
) -> None:
    who = (await homes(shop))[1]
    await leaving.expire_unpaid(shop.chassis)  # those of other tests
    view, unpaid, silent = [await shop.placed(who=who, tea=2) for _ in range(3)]
    await shop.capture(view)
    shop.papers.payments = {silent["id"]: Till(silent, captured=3998, price=3998).answer()}
    with wire[1].tapped() as asked:
        parcel = (await shop.ship(view)).json()["shipments"][0]["id"]
        assert (await shop.deliver_parcel(view, parcel)).status == 200
        assert (await shop.take_back(view, tea=1)).status == 201
        for query in ("", f"?number={view['number']}", "?status=placed"):
            assert (await shop.call("GET", f"/orders{query}", role="staff")).status == 200
        await asking.ask_about_waiting(shop.chassis)
        await leaving.expire_unpaid(shop.chassis)
        async with shop.database.transaction() as tx:
            assert (await reading.amount(tx, UUID(view["id"]))).customer_id == who
        await intents.sweep(shop.chassis, NOW, 100)
    found = [(await shop.shown(each["id"], who))["status"] for each in (view, silent, unpaid)]
    assert found == ["partly_returned", "paid", "expired"]
    strange = {each.sql for each in strays(asked, 1)}
    named = {name: {sql for sql in strange if known.search(sql)} for name, known in OF_ALL.items()}
    assert strange == set().union(*named.values())
    assert all(named.values()), "a reason that nothing needs any more"
