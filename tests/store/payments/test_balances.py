"""What accounts come to is carried on, never read from the whole ledger again, and held against it by the audit."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from apps.chassis.hot import Hot
from apps.payments import balances, books, reconciling, rewrapping, store
from apps.payments.ledger import Entry, Kind, Transaction
from tests.store.payments.desk import Desk
from tests.store.payments.heard import placed

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry on whenever asked, and count what is older than the transactions under way as closed."""
    monkeypatch.setattr(balances, "_EVERY", timedelta())
    closed = balances._CLOSED.text.replace("interval '5 seconds'", "interval '0 seconds'")
    monkeypatch.setattr(balances, "_CLOSED", Hot(closed))


@pytest.fixture
def rows_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many transactions each reading of the ledger opened."""
    opened: list[int] = []
    add_up = books.add_up

    def counting(sums: books.Sums, booked: Any) -> None:
        page = list(booked)
        opened.append(len(page))
        add_up(sums, page)

    monkeypatch.setattr(books, "add_up", counting)
    return opened


async def bought(desk: Desk, *amounts: int) -> None:
    orders = [placed(amount) for amount in amounts]
    await desk.place(*orders)
    await desk.settled(*orders)


async def shown(desk: Desk) -> dict[str, int]:
    items = (await desk.call("GET", "/ledger/accounts", role="staff")).json()["items"]
    return {each["account"]: each["balance"] for each in items}


async def test_what_was_added_up_is_not_read_again(desk: Desk, rows_read: list[int]) -> None:
    await bought(desk, 100, 200, 300)
    await balances.carry_on(desk.database)
    assert sum(rows_read) == 3
    rows_read.clear()
    assert await shown(desk) == {"customers": -600, "processor:stripe": 600}
    assert sum(rows_read) == 0
    await bought(desk, 50)
    assert await shown(desk) == {"customers": -650, "processor:stripe": 650}
    await balances.carry_on(desk.database)
    assert sum(rows_read) == 2, "the new one, for each of two readings"
    assert len(await desk.sql("SELECT upto FROM ledger_balances")) == 1
    assert await shown(desk) == {"customers": -650, "processor:stripe": 650}


async def test_an_entry_whose_transaction_ends_late_is_not_passed_over(desk: Desk) -> None:
    await bought(desk, 100)
    async with desk.database.transaction() as late:
        await late.execute(text("SELECT now()"))
        await bought(desk, 200)
        await balances.carry_on(desk.database)
        sides = (Entry("processor:stripe", 7), Entry("customers", -7))
        await store.add_booked(late, [Transaction(uuid7(), 1, Kind.CAPTURE, "EUR", "late", sides)])
    assert await shown(desk) == {"customers": -307, "processor:stripe": 307}
    await balances.carry_on(desk.database)
    assert await shown(desk) == {"customers": -307, "processor:stripe": 307}


async def test_a_balance_that_does_not_follow_from_the_entries_is_named(desk: Desk) -> None:
    await bought(desk, 100)
    await balances.carry_on(desk.database)
    async with desk.database.transaction() as tx:
        kept = await balances.newest(tx)
    assert (await books.audit(desk.database, kept.sums, kept.upto)).fault is None
    kept.sums["customers", "EUR"] += 1
    fault = (await books.audit(desk.database, kept.sums, kept.upto)).fault
    assert fault == "entries of customers in EUR come to -100, the balance that was kept to -99"
    assert (await reconciling.verify(desk.app.state.chassis)).fault is None


async def test_kept_balances_show_nothing_and_are_worth_nothing_in_another_place(desk: Desk) -> None:
    await bought(desk, 735_192_846)
    await balances.carry_on(desk.database)
    (row,) = await desk.sql("SELECT upto, sealed FROM ledger_balances")
    assert b"735192846" not in bytes(row.sealed)
    await desk.sql("UPDATE ledger_balances SET upto = upto + 1")
    async with desk.database.transaction() as tx:
        assert await balances.newest(tx) == balances.Balances(), "they are made anew from the ledger"
    assert await shown(desk) == {"customers": -735_192_846, "processor:stripe": 735_192_846}


async def test_another_key_is_put_under_kept_balances(desk: Desk) -> None:
    await bought(desk, 100)
    await balances.carry_on(desk.database)
    keeper: Any = desk.database.codec
    keeper.rekey({"k1": bytes(range(32)), "k2": bytes(32)}, "k2")
    async with desk.database.transaction() as tx:
        assert (await rewrapping.rewrap(tx, "ledger_balances", "")).rewrapped == 1
    keeper.rekey({"k2": bytes(32)}, "k2")
    async with desk.database.transaction() as tx:
        assert (await balances.newest(tx)).sums["customers", "EUR"] == -100
