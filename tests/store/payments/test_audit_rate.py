"""What sealing, opening and auditing cost; printed, since they are the machine's as much as ours."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from apps.payments import books, decisions, ledger, records, store
from apps.payments.domain import Trigger
from apps.payments.payment import AttemptStatus, Payment
from tests.store.payments.desk import Desk
from tests.store.payments.till import make_vault, placed


def taken() -> Payment:
    payment = decisions.claim(placed(500), datetime.now(UTC))
    payment.attempt.status, payment.attempt.captured, payment.captured = AttemptStatus.CAPTURED, 500, 500
    payment.move(Trigger.CAPTURED)
    return payment


@pytest.mark.bench
def test_cost_of_sealing_and_opening_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    keeper, plain, id_ = make_vault(), taken().dump(), uuid4()
    began = time.process_time()
    sealed = [keeper.seal_record(plain, records.context(id_)) for _ in range(20_000)]
    between = time.process_time()
    for each in sealed:
        keeper.open_record(each, records.context(id_))
    ended = time.process_time()
    with capsys.disabled():
        print(f"seal {(between - began) * 50:.1f} us, open {(ended - between) * 50:.1f} us")
    assert ended - began < 20_000 * 2 * 60e-6


@pytest.mark.bench
@pytest.mark.parametrize("payments", [2_000, pytest.param(500_000, marks=pytest.mark.soak)])
async def test_rate_of_the_audit(desk: Desk, capsys: pytest.CaptureFixture[str], payments: int) -> None:
    for _ in range(payments // 1_000):
        page = [taken() for _ in range(1_000)]
        booked = [each for payment in page for each in ledger.book(payment)]
        async with desk.database.transaction() as tx:
            await store.add(tx, page, due=False)
            await store.add_booked(tx, booked)
    began, cpu = time.monotonic(), time.process_time()
    found = await books.audit(desk.database)
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"audited {found.entries} entries in {took:.1f} s, {time.process_time() - cpu:.1f} s of our CPU")
    assert (found.fault, found.entries) == (None, 2 * payments)
