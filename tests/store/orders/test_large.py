"""At ten million orders nothing takes twice as long as at ten thousand: both lie on one server, and take turns."""

import os
import random
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from apps.chassis.hot import Hot
from apps.orders import listing, settling, store
from tests.store.orders.shop import Shop, open_shop, settings_from_environment
from tests.store.orders.test_plans import PAGE, asked, plan, scans, touched
from tests.support.asgi import APP_TOKEN
from tests.support.many_orders import customer, fill
from tests.support.postgres import Cluster, cluster

FEW, MANY = 10_000, int(os.environ.get("SIDECART_SOAK_ORDERS", "10000000"))
ORDERS_A_CUSTOMER, FEWER = 50, 15
AT_FIRST = ", at first"
MONTHLY = {"Append", "Merge Append"}
ROUNDS = int(os.environ.get("SIDECART_SOAK_ROUNDS", "200"))
# What is not logged is written twice as fast; and a shop of that size gives its server more than the tests do.
SETTINGS = {
    "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "16GB", "autovacuum": "off",
    "shared_buffers": "512MB",
}  # fmt: skip


@dataclass(frozen=True)
class Year:
    """A shop with so many orders."""

    shop: Shop
    orders: int

    def somebody(self) -> Any:
        return customer(random.randrange(self.orders // ORDERS_A_CUSTOMER))

    async def ask(self, statement: Hot, values: dict[str, Any]) -> float:
        """Return how long it takes, in ms, with the round trip."""
        began = time.perf_counter()
        async with self.shop.database.reading() as connection:
            await statement.run(connection, **values)
        return (time.perf_counter() - began) * 1000

    async def place(self) -> float:
        began = time.perf_counter()
        await self.shop.placed(who=self.somebody(), tea=1)
        return (time.perf_counter() - began) * 1000

    async def questions(self) -> dict[str, tuple[Hot, dict[str, Any]]]:
        """Return what is asked, each time about somebody else."""
        number = f"{random.randint(1, self.orders):012x}"
        async with self.shop.database.transaction() as tx:
            one = (await tx.execute(text("SELECT id, customer_id FROM orders WHERE number = :n"), {"n": number})).one()
        who, month_ago, long_ago = self.somebody(), before(timedelta(days=30)), before(timedelta(days=300))
        return {
            "an order by its id": asked(order_id=one.id, customer_id=one.customer_id),
            "an order by its number": asked(number=number),
            "a timeline": (listing._TIMELINE, one._asdict()),
            "a customer's list": asked(customer_id=who),
            "a customer's next page": asked(customer_id=who, below_id=month_ago),
            "a customer's list by status": asked(customer_id=who, status="delivered"),
            "everybody's list": asked(),
            "everybody's list by status": asked(status="paid"),
            "everybody's list by a rare status": few(status="placed"),
            "everybody's list by status and time": asked(status="cancelled", from_id=long_ago),
            "the unpaid": (settling._TAKE_UNPAID, {"before": month_ago, "batch": FEWER}),
        }


def before(span: timedelta) -> UUID:
    return store.bound(datetime.now(UTC) - span)


def few(**conditions: Any) -> tuple[Hot, dict[str, Any]]:
    """Ask for so little that both have it."""
    statement, values = asked(**conditions)
    return statement, values | {"most": FEWER}


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster(**SETTINGS) as running:
        yield running


@pytest.fixture
async def years(server: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Year]]:
    monkeypatch.setenv("APP_PORT", "1")
    monkeypatch.setenv("APP_API_TOKEN", APP_TOKEN)
    async with AsyncExitStack() as stack:
        found: list[Year] = []
        for orders in (FEW, MANY):
            url = server.database_for("orders")
            with server.connect("postgres", url.rpartition("/")[2]) as owner:
                fill(owner, orders=orders, customers=orders // ORDERS_A_CUSTOMER)
            shop = open_shop(url, settings_from_environment(), 1)
            stack.push_async_callback(shop.database.close)
            await shop.stock(tea=10**6)
            found.append(Year(shop, orders))
        yield found


async def compared(years: list[Year], rounds: int) -> dict[str, dict[int, float]]:
    """Return the median of each question and of placing, by size; who begins changes from round to round.

    Each question is asked twice: at first what it reads may lie on the disk, and then it is the disk that is timed.
    """
    times: defaultdict[str, dict[int, list[float]]] = defaultdict(lambda: {year.orders: [] for year in years})
    for _ in range(rounds):
        years.reverse()
        asking = [(year, await year.questions()) for year in years]
        for name in asking[0][1]:
            for year, questions in asking:
                times[f"{name}{AT_FIRST}"][year.orders].append(await year.ask(*questions[name]))
            for year, questions in asking:
                times[name][year.orders].append(await year.ask(*questions[name]))
        for year in years:
            times["placing"][year.orders].append(await year.place())
    return {name: {orders: median(found) for orders, found in sides.items()} for name, sides in times.items()}


async def explained(year: Year) -> dict[str, dict[str, Any]]:
    return {name: await plan(year.shop, *asked, "auto") for name, asked in (await year.questions()).items()}


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_at_full_size_nothing_takes_or_reads_twice_what_it_does_at_ten_thousand(years: list[Year]) -> None:
    few, many = years
    await compared(list(years), 5)
    figures = await compared(list(years), ROUNDS)
    plans = [await explained(year) for year in (few, many)]
    pages = {name: [found[name]["Shared Hit Blocks"] + found[name]["Shared Read Blocks"] for found in plans]
             for name in plans[0]}  # fmt: skip
    print(table(figures, pages), *(drawn(name, found) for name, found in plans[1].items()), sep="\n")
    for name, found in plans[1].items():
        assert scans(found) == [], (name, found)
        # one in twenty is paid, and neighbours lie together: to pass by nineteen costs less than an index; how many
        # that makes for a page is chance (1,293 were seen)
        assert touched(found) <= 30 * PAGE, (name, touched(found))
        assert pages[name][1] <= 2 * max(pages[name][0], PAGE), (name, pages[name])
    slow = {name: sides for name, sides in figures.items() if AT_FIRST not in name and sides[MANY] > 2 * sides[FEW]}
    assert not slow, figures


def table(figures: dict[str, dict[int, float]], pages: dict[str, list[int]]) -> str:
    """Draw the figures as docs/plans.md shows them."""
    rows = ["| | 10,000 | all | ratio | at first | pages |", "|---|---|---|---|---|---|"]
    for name, sides in figures.items():
        if AT_FIRST in name:
            continue
        first = figures.get(f"{name}{AT_FIRST}", {MANY: 0.0})[MANY]
        read = " -> ".join(map(str, pages.get(name, ())))
        ratio = sides[MANY] / sides[FEW]
        rows.append(f"| {name} | {sides[FEW]:.2f} | {sides[MANY]:.2f} | {ratio:.2f} | {first:.2f} | {read} |")
    return "\n".join(rows)


def drawn(name: str, root: dict[str, Any]) -> str:
    """Draw a plan, months that are asked alike as one line."""
    lines = [f"\n### {name[0].upper()}{name[1:]}", "```"]

    def draw(node: dict[str, Any], depth: int) -> None:
        what = " ".join(filter(None, [node["Node Type"], on(node)]))
        rows = node["Actual Rows"] * node["Actual Loops"]
        conditions = [f"{key.lower()}: {node[key]}" for key in ("Index Cond", "Filter") if key in node]
        lines.append(f"{'  ' * depth}{what}, {rows:.0f} rows" + "".join(f"; {each}" for each in conditions))
        alike: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
        months = node["Node Type"] in MONTHLY
        for each in node.get("Plans", ()):
            alike[(each["Node Type"], on(each)) if months else id(each)].append(each)
        for group in alike.values():
            asked = [each for each in group if each["Actual Loops"]]
            draw((asked or group)[0], depth + 1)
            if len(group) > 1:
                lines[-1] += f" (one of {len(group)} months, {len(asked)} of them asked)"

    draw(root, 0)
    return "\n".join([*lines, "```"])


def on(node: dict[str, Any]) -> str:
    """Return the index or table that a step reads, whatever the month."""
    return re.sub(r"_20\d\d_\d\d|_\d+$", "", node.get("Index Name") or node.get("Relation Name") or "")
