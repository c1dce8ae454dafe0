"""With a year of orders no query reads more than it answers: what a plan touches is counted, not guessed."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from apps.chassis.hot import Hot
from apps.orders import erasing, listing, parcels, settling, store, streams
from apps.orders.listing import Filter
from apps.orders.tables import Key
from tests.store.orders.shop import Shop, open_shop, settings_from_environment
from tests.support.asgi import APP_TOKEN
from tests.support.many_orders import fill
from tests.support.postgres import Cluster

SMALL = 20_000
PAGE = 50
CUSTOMER = UUID("00000000-0000-0000-0000-000000000007")


def database_of(cluster: Cluster, url: str, orders: int, customers: int) -> str:
    with cluster.connect("postgres", url.rpartition("/")[2]) as owner:
        fill(owner, orders=orders, customers=customers)
    return url


@pytest.fixture(scope="module")
def year(postgres_cluster: Cluster, database_for: Callable[[str], str]) -> str:
    return database_of(postgres_cluster, database_for("orders"), SMALL, 400)


@pytest.fixture
async def shop(year: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setenv("APP_PORT", "1")
    monkeypatch.setenv("APP_API_TOKEN", APP_TOKEN)
    shop = open_shop(year, settings_from_environment(), 1)
    yield shop
    await shop.database.close()


def asked(**conditions: Any) -> tuple[Hot, dict[str, Any]]:
    values = Filter(**conditions).values()
    return listing.statement(tuple(values)), {**values, "most": PAGE}


async def questions(shop: Shop) -> dict[str, tuple[Hot, dict[str, Any]]]:
    """Return every statement that meets the partitioned tables, as the service asks it."""
    async with shop.database.transaction() as tx:
        rows = (await tx.execute(text("SELECT id, number, customer_id FROM orders ORDER BY id DESC LIMIT 300"))).all()
    one, number, month_ago = (
        Key(rows[0].id, rows[0].customer_id),
        rows[-1].number,
        store.bound(datetime.now(UTC) - timedelta(days=30)),
    )
    one_page = store.bounded([Key(row.id, row.customer_id) for row in rows[:PAGE]])
    return {
        "an order": asked(order_id=one.id, customer_id=one.customer_id),
        "a customer's list": asked(customer_id=CUSTOMER),
        "a customer's next page": asked(customer_id=CUSTOMER, below_id=month_ago),
        "a customer's list by status": asked(customer_id=CUSTOMER, status="delivered"),
        "everybody's list": asked(),
        "everybody's list by status": asked(status="paid"),
        "everybody's list by a rare status": asked(status="placed"),
        "everybody's list by status and time": asked(status="cancelled", from_id=month_ago),
        "an order by its number": asked(number=number),
        "a timeline": (listing._TIMELINE, one._asdict()),
        "news of what is watched": (streams._NEWS, one_page | {"afters": [0] * PAGE}),
        "a batch of facts, locked": (settling._LOCK, one_page),
        "lines of a batch": (store._LINES, one_page),
        "lines of an order": (parcels._ROWS, one._asdict()),
        "parcels of an order": (parcels._SHIPMENTS, one._asdict()),
        "the unpaid": (settling._TAKE_UNPAID, {"before": month_ago, "batch": PAGE}),
        "a person's orders to forget": (erasing._ORDERS_OF, {"customer_id": CUSTOMER, "batch": PAGE}),
    }


def touched(node: dict[str, Any]) -> float:
    """Count the rows that a plan read from tables, those it threw away included."""
    own = 0.0
    if "Relation Name" in node or "Index Name" in node:
        rows = sum(
            node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        )
        own = rows * node["Actual Loops"]
    return own + sum(touched(inner) for inner in node.get("Plans", ()))


def scans(node: dict[str, Any]) -> list[str]:
    own = [node["Relation Name"]] if node["Node Type"] == "Seq Scan" and node["Actual Loops"] else []
    return own + [name for inner in node.get("Plans", ()) for name in scans(inner)]


async def plan(shop: Shop, statement: Hot, values: dict[str, Any], mode: str) -> dict[str, Any]:
    async with shop.database._sessions() as tx:
        await tx.execute(text(f"SET LOCAL plan_cache_mode = {mode}"))
        # months to come are empty, and cheaper to look through than their indexes
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        (row,) = await Hot(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.text}").run(tx, **values)
        found: dict[str, Any] = (row[0] if isinstance(row[0], list) else json.loads(row[0]))[0]["Plan"]
        return found


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_no_query_reads_a_partitioned_table_beyond_its_page(shop: Shop, mode: str) -> None:
    for name, (statement, values) in (await questions(shop)).items():
        found = await plan(shop, statement, values, mode)
        assert scans(found) == [], (name, found)
        # an order, its two lines and its parcel, for a page; whatever it looked at besides, it looked at in vain
        assert touched(found) <= 8 * PAGE, (name, touched(found))


async def test_the_clocks_queries_read_no_more_than_a_batch(shop: Shop) -> None:
    async with shop.database.transaction() as tx:
        await store.take_waiting(tx, timedelta(seconds=60), 20)
        counted = "SELECT coalesce(sum(seq_tup_read), 0), coalesce(sum(idx_tup_fetch), 0) FROM pg_stat_xact_user_tables"
        in_order, by_index = (await tx.execute(text(f"{counted} WHERE relname LIKE 'orders_%'"))).one()
    assert in_order == 0
    assert by_index <= 20 * 15, "an index of a month that holds none of them is asked as well"


async def test_a_page_of_orders_with_everything_takes_two_round_trips(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop.database.transaction() as tx:
        rows = (await tx.execute(text("SELECT id FROM orders WHERE customer_id = :c"), {"c": CUSTOMER})).scalars()
        nowhere = {"name": "a", "line1": "a", "city": "a", "postal_code": "a", "country": "DE"}
        details = {"configurations": {}, "shipping_address": nowhere, "note": None, "payment_method": "x"}
        document = json.dumps(details).encode()
        shop.papers.kept = {f"{id_}.1": document for id_ in rows}
    asked_for: list[str] = []
    run = Hot.run

    async def counting(self: Hot, tx: Any, **values: Any) -> list[Any]:
        asked_for.append(self.text)
        return await run(self, tx, **values)

    monkeypatch.setattr(Hot, "run", counting)
    page = (await shop.call("GET", f"/orders?limit={PAGE}", who=CUSTOMER)).json()
    assert len(page["items"]) == PAGE
    assert all(len(item["lines"]) == 2 for item in page["items"])
    assert len(asked_for) + shop.papers.reads == 2
