import re
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from apps.chassis.hot import Hot
from apps.orders import settling, store
from tests.store.orders.shop import ANNA, Shop
from tests.support.many_orders import fill
from tests.support.postgres import Cluster

_MONTHS = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'orders'::regclass ORDER BY 1")


async def months(shop: Shop) -> list[str]:
    async with shop.database.transaction() as tx:
        return list(await tx.scalars(_MONTHS))


async def test_this_month_and_the_next_three_are_there_and_more_can_be_asked_for(shop: Shop) -> None:
    there = await months(shop)
    assert f"orders_{datetime.now(UTC):%Y_%m}" in there
    async with shop.database.transaction() as tx:
        assert [await store.ensure_partitions(tx, ahead) for ahead in (3, 4, 4)] == [0, 5, 0]
    assert len(await months(shop)) == len(there) + 1


async def test_the_service_may_ask_for_months_and_create_nothing_else(shop: Shop) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with shop.database.transaction() as tx:
            await tx.execute(text("CREATE TABLE mine (a int)"))


def numbered(statement: Hot) -> str:
    """Return one of our own batch statements with the parameters that PREPARE knows."""
    numbers = {":ids": "$1", ":lowest": "$2", ":highest": "$3", ":customers": "$4"}
    return re.sub("|".join(numbers), lambda name: numbers[name[0]], statement.text)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(
    "question",
    [
        numbered(store._LINES),
        numbered(settling._LOCK),
        "SELECT * FROM orders WHERE id = $2",
        "SELECT * FROM order_timeline WHERE order_id = $2 AND customer_id = ($4)[1] ORDER BY entry",
    ],
)
async def test_statements_that_know_the_order_touch_one_months_partition(shop: Shop, mode: str, question: str) -> None:
    placed = (await shop.placed(tea=1))["id"]
    async with shop.database.transaction() as tx:
        await tx.execute(text(f"SET LOCAL plan_cache_mode = {mode}"))
        await tx.execute(text(f"PREPARE ask(uuid[], uuid, uuid, uuid[]) AS {question}"))
        asked = f"EXECUTE ask(ARRAY[CAST('{placed}' AS uuid)], '{placed}', '{placed}', ARRAY[CAST('{ANNA}' AS uuid)])"
        plan = "\n".join(await tx.scalars(text(f"EXPLAIN (ANALYZE, COSTS OFF) {asked}")))
    touched = set(re.findall(r" on \w+_(\d{4}_\d\d) ", plan))
    assert touched == {f"{datetime.now(UTC):%Y_%m}"}, plan


async def test_an_id_that_no_month_covers_is_simply_not_found(shop: Shop) -> None:
    assert (await shop.call("GET", f"/orders/{uuid4()}")).status == 404


async def test_a_months_bound_is_the_smallest_id_of_its_first_millisecond(shop: Shop) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    async with shop.database.transaction() as tx:
        in_sql = await tx.scalar(text("SELECT uuid_bound(:moment)"), {"moment": moment})
    assert in_sql == store.bound(moment) == UUID("019b76da-a800-0000-0000-000000000000")


async def test_a_month_is_detached_and_attached_again_while_the_service_goes_on(
    shop: Shop, postgres_cluster: Cluster
) -> None:
    name = shop.database.engine.url.database
    assert name
    with postgres_cluster.connect("postgres", name) as owner:
        fill(owner, orders=240, customers=1)
        first = owner.execute("SELECT min(id::text) FROM orders").fetchone()
        assert first
        month = datetime.fromtimestamp(UUID(first[0]).int / 2**80 / 1000, UTC)
        suffix, before = f"_{month:%Y_%m}", await shop.count("orders")
        bounds = owner.execute(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s", [f"orders{suffix}"]
        ).fetchone()
        assert bounds
        tables = ("orders", "order_lines", "order_timeline", "order_shipments", "order_returns")
        for table in tables:
            owner.execute(f"ALTER TABLE {table} DETACH PARTITION {table}{suffix} CONCURRENTLY".encode())
        assert await shop.count("orders") < before
        assert (await shop.call("GET", f"/orders/{first[0]}", role="support")).status == 404
        assert (await shop.place(tea=1)).status == 201
        async with shop.database.transaction() as tx:
            assert await store.ensure_partitions(tx, 3) == 0, "what was archived is not made anew"
        for table in tables:
            owner.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}{suffix} {bounds[0]}".encode())
        assert await shop.count("orders") == before + 1
