"""What sealing, opening and auditing cost; printed, since they are the machine's as much as ours."""

import asyncio
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import psutil
import pytest

from apps.payments import books, decisions, ledger, records, store
from apps.payments.domain import Trigger
from apps.payments.payment import AttemptStatus, Payment
from tests.store.payments.desk import Desk
from tests.store.payments.heard import placed
from tests.store.payments.till import make_vault

FULL: Final = int(os.environ.get("SIDECART_AUDITED_PAYMENTS", "500000"))
"""Each is two entries."""
LOOK_S: Final = 0.02
# A page of payments with their entries is about 2 MiB; all of them at once would be a thousand.
GROWS_MIB: Final = 24


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
@pytest.mark.parametrize("payments", [2_000, pytest.param(FULL, marks=pytest.mark.soak)])
@pytest.mark.timeout(3600)
async def test_rate_of_the_audit(desk: Desk, capsys: pytest.CaptureFixture[str], payments: int) -> None:
    for _ in range(payments // 1_000):
        page = [taken() for _ in range(1_000)]
        booked = [each for payment in page for each in ledger.book(payment)]
        async with desk.database.transaction() as tx:
            await store.add(tx, page, due=False)
            await store.add_booked(tx, booked)
    watch = asyncio.create_task(resident())
    began, cpu = time.monotonic(), time.process_time()
    found = await books.audit(desk.database)
    took, used = time.monotonic() - began, time.process_time() - cpu
    watch.cancel()
    sizes = await watch
    first, most = max(sizes[: len(sizes) // 10 + 1]), max(sizes)
    with capsys.disabled():
        load = psutil.getloadavg()[0]
        print(f"audited {found.entries} entries in {took:.1f} s, {used:.1f} s of our CPU, at load {load:.0f};")
        print(f"at most {first:.1f} MiB in the first tenth, {most:.1f} MiB in all")
    assert (found.fault, found.entries) == (None, 2 * payments)
    assert most - first < GROWS_MIB


async def resident() -> list[float]:
    """Look at how much memory this process holds, until cancelled."""
    process, sizes = psutil.Process(), list[float]()
    with suppress(asyncio.CancelledError):
        while True:
            sizes.append(process.memory_info().rss / 2**20)
            await asyncio.sleep(LOOK_S)
    return sizes
