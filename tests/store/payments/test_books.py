"""What moved stands in the ledger, for good; what does not fit is named."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from apps.contracts.base import Money
from apps.payments import books, decisions, reconciliation, reconciling, store
from apps.payments.domain import RefundState
from apps.payments.payment import Payment
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AMOUNT, cancelled, placed
from tests.support.postgres import Cluster


async def bought(desk: Desk, amount: int = AMOUNT) -> Payment:
    order = placed(amount)
    await desk.place(order)
    return (await desk.settled(order))[0]


async def audited(desk: Desk) -> str | None:
    return (await books.audit(desk.database)).fault


async def test_what_is_taken_and_given_back_is_booked_on_both_sides(desk: Desk) -> None:
    order = placed(500)
    await desk.place(order)
    (payment,) = await desk.settled(order)
    body = {"amount": 200}
    assert (await desk.call("POST", f"/payments/{payment.id}/refunds", body, role="support")).status == 202
    await desk.settled(order)
    shown = (await desk.call("GET", f"/ledger/entries?payment_id={payment.id}", role="staff")).json()["items"]
    assert [(each["kind"], each["account"], each["debit"], each["credit"]) for each in shown] == [
        ("capture", "processor:stripe", 500, 0),
        ("capture", "customers", 0, 500),
        ("refund", "processor:stripe", 0, 200),
        ("refund", "customers", 200, 0),
    ]
    accounts = (await desk.call("GET", "/ledger/accounts", role="staff")).json()["items"]
    assert [(each["account"], each["balance"]) for each in accounts] == [("customers", -300), ("processor:stripe", 300)]
    assert (await desk.call("GET", "/ledger/accounts")).status == 403
    assert await audited(desk) is None


async def test_a_refund_that_fails_late_is_reversed_and_not_removed(desk: Desk) -> None:
    order = placed(500)
    await desk.place(order)
    await desk.settled(order)
    await desk.cancel(cancelled(order))
    (payment,) = await desk.settled(order)
    desk.till.refund_state = RefundState.FAILED
    async with desk.database.transaction() as tx:
        await store.wake(tx, payment.id, None)
    async with desk.working():
        await desk.until(lambda: _refund_failed(desk, payment))
    async with desk.database.transaction() as tx:
        booked = await books.entries_of(tx, payment.id)
    assert [each.transaction.kind for each in booked] == ["capture", "refund", "refund_reversed"]
    assert sum(each.transaction.taken for each in booked) == 500
    assert await audited(desk) is None


async def _refund_failed(desk: Desk, payment: Payment) -> bool:
    return (await desk.payment(payment.order_id)).refunds[0].state is RefundState.FAILED


@pytest.mark.parametrize("change", ["UPDATE ledger SET sealed = ''", "DELETE FROM ledger", "TRUNCATE ledger"])
async def test_the_database_refuses_to_alter_the_ledger(desk: Desk, postgres_cluster: Cluster, change: str) -> None:
    await bought(desk)
    with pytest.raises(DBAPIError, match="permission denied"):
        await desk.sql(change)
    database = str(desk.database.engine.url.database)
    for role in ("payments_owner", "postgres"):
        with (
            postgres_cluster.connect(role, database) as owner,
            pytest.raises(psycopg.errors.RestrictViolation, match="never altered"),
        ):
            owner.execute(change)


async def _as_owner(desk: Desk, cluster: Cluster, *statements: str) -> None:
    with cluster.connect("postgres", str(desk.database.engine.url.database)) as owner:
        owner.execute("ALTER TABLE ledger DISABLE TRIGGER USER")
        for statement in statements:
            owner.execute(statement)


SWAP = """
UPDATE ledger a SET sealed = b.sealed, wrapped_key = b.wrapped_key, key_id = b.key_id FROM ledger b
WHERE a.payment_id <> b.payment_id
"""


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE ledger SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)", "does not hold what was sealed"),
        (SWAP, "does not hold what was sealed"),
        ("DELETE FROM ledger", "is missing"),
        ("UPDATE ledger SET number = number + 1", "is missing|does not hold"),
    ],
)
async def test_the_audit_names_the_first_entry_that_does_not_fit(
    desk: Desk, postgres_cluster: Cluster, damage: str, named: str
) -> None:
    payments = sorted([await bought(desk) for _ in range(2)], key=lambda each: each.id)
    assert await audited(desk) is None
    await _as_owner(desk, postgres_cluster, damage)
    fault = await audited(desk)
    assert fault
    assert str(payments[0].id) in fault
    assert re.search(named, fault)


async def test_the_audit_sees_entries_that_come_to_something_else_than_the_record(desk: Desk) -> None:
    payment = await bought(desk, 500)
    async with desk.database.transaction() as tx:
        held = await store.lock(tx, payment.id)
        held.payment.captured = 501
        await store.save(tx, [(held, None)])
    assert "come to 500, its record to 501" in (await audited(desk) or "")


async def report(desk: Desk) -> Any:
    providers: Any = {"stripe": desk.till}
    return await reconciliation.reconcile(desk.database, providers, datetime.now(UTC).date())


async def test_a_day_that_agrees_is_matched_whole(desk: Desk) -> None:
    order = placed(500)
    await desk.place(order)
    (payment,) = await desk.settled(order)
    async with desk.database.transaction() as tx:
        held = await store.lock(tx, payment.id)
        decisions.ask_refund(held.payment, Money(amount=100, currency="EUR"), None, datetime.now(UTC))
        await store.save(tx, [(held, timedelta())])
    await desk.settled(order)
    found = await report(desk)
    assert (found.matched, set(found.counts.values())) == (2, {0})


async def test_what_differs_is_named_field_by_field_with_both_values(desk: Desk) -> None:
    payment = await bought(desk, 500)
    gone = await bought(desk, 600)
    charge = desk.till.taken.pop(gone.attempt.reference)
    stray = gone.attempt.reference.replace("charge-1", "charge-9")
    desk.till.taken[stray] = charge
    desk.till.tamper = 1
    found = await report(desk)
    (differing,) = found.differing
    assert (differing["payment_id"], differing["field"]) == (payment.id, "amount")
    assert (differing["ours"], differing["theirs"]) == (500, 501)
    assert [each["reference"] for each in found.missing_here] == [stray]
    assert [each["reference"] for each in found.missing_there] == [gone.attempt.reference]


async def test_staff_read_a_day_once_it_is_compared(desk: Desk) -> None:
    await bought(desk, 500)
    desk.app.state.chassis.extra = {"stripe": desk.till}
    today = datetime.now(UTC).date()
    path = f"/reconciliations/{today}"
    assert (await desk.call("GET", path, role="staff")).status == 404
    assert (await desk.call("POST", path)).status == 403
    assert (await desk.call("POST", path, role="staff")).status == 202
    for _ in range(2):
        await reconciling.run_due(desk.app.state.chassis)
    read = (await desk.call("GET", path, role="staff")).json()
    assert (read["matched"], read["differing"]) == (1, [])
