"""Killed between any two steps of whatever it does, payments ends where it would have ended anyway.

A process with the service's own code is killed (SIGKILL) before a step. Then the client asks again under its key, the
broker hands out the event again, the processor sends its webhook again, and another worker starts: what is left must be
what a life without a death leaves, and each sum has moved once by the processor's own record.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from apps.payments import books, ledger, steps, terms
from apps.payments.payment import Payment
from tests.store.payments.desk import Desk
from tests.store.payments.mortal import SOON_S, do, open_mortal, work
from tests.store.payments.scenes import FEW, SCENES, Act, Scene, Stage, new_stage
from tests.support.asgi import APP_TOKEN
from tests.support.mortality import VISIBLE, Lives, buried

PATIENCE_S = 60


@pytest.fixture(scope="module")
def url(database_for: Callable[[str], str]) -> str:
    return database_for("payments")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processor") / "record"


@pytest.fixture(scope="module")
def lives(url: str, record: Path) -> Iterator[Lives]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APP_PORT", "1")
        patch.setenv("APP_API_TOKEN", APP_TOKEN)
        running = Lives("tests.store.payments.mortal", url, str(record))
        yield running
    running.close()


@pytest.fixture
async def desk(lives: Lives, url: str, record: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    assert lives
    monkeypatch.setattr(steps, "_FIRST_PAUSE_S", SOON_S)
    opened = open_mortal(url, str(record))
    yield opened
    terms.use(None)
    await opened.database.close()


async def again(desk: Desk, act: Act) -> None:
    """Whoever heard nothing asks again, and workers start anew until nothing is due."""
    async with asyncio.timeout(PATIENCE_S):
        # the transaction of the dead may be open for a moment still
        while (reply := await do(desk, act)).status == 409 and b"request-in-progress" in reply.body:
            await asyncio.sleep(0.01)
        assert reply.status < 300, reply.body
        while True:
            await work(desk)
            if (await desk.sql("SELECT count(due_at) FROM payments"))[0][0] == 0:
                return
            await asyncio.sleep(0.01)


async def outcome(stage: Stage) -> dict[str, Any]:
    """Return all that is left of a life, without what chance or the clock chose; hold what holds for any."""
    payment, desk = await stage.payment(), stage.desk
    async with desk.database.transaction() as tx:
        booked = [each.transaction for each in await books.entries_of(tx, payment.id)]
    order_id = str(stage.order.order_id)
    told = [(topic, data) for topic, data in await desk.told() if data.get("order_id") == order_id]
    bank = _bank(desk, payment)
    assert list(ledger.faults(booked, payment)) == []
    assert (bank["taken"], bank["given"]) == (payment.captured, payment.refunded)
    return {
        "payment": (payment.state, payment.captured, payment.refunded, payment.held, payment.sequence),
        "attempts": [(each.status, each.amount, each.captured) for each in payment.attempts],
        "refunds": [(each.state, each.amount) for each in payment.refunds],
        "told": [(topic, data["sequence"], data.get("amount")) for topic, data in told],
        "books": [(each.kind, each.taken) for each in booked],
        "bank": bank,
        "whose": payment.customer_id == stage.order.customer_id,
        "brand": payment.attempt.brand,
        "notices": await _count(desk, "notices WHERE payment_id = :id", payment),
        "dead letters": await _count(desk, "dead_letters", payment),
    }


def _bank(desk: Desk, payment: Payment) -> dict[str, Any]:
    """Return what the processor did for one payment, by its own record."""
    till: Any = desk.till
    till.read()
    taken = {key: till.sums.get(key, each.amount) for key, each in till.taken.items() if each.payment_id == payment.id}
    given = [each.amount for each in till.given.values() if each.payment_id == payment.id]
    failed = till.refund_state == "failed"
    return {
        "charges": sorted(taken.values()),
        "taken": sum(taken.values()),
        "refunds": sorted(given),
        "given": 0 if failed else sum(given),
        "held": sum(each.amount for each in till.held.values() if each.payment_id == payment.id),
        "let go": sum(str(payment.id) in reference for reference in till.released),
    }


async def _count(desk: Desk, of: str, payment: Payment) -> int:
    values = {"id": payment.id} if ":id" in of else {}
    async with desk.database.transaction() as tx:
        found: int = (await tx.execute(text(f"SELECT count(*) FROM {of}"), values)).scalar_one()  # noqa: S608
    return found


async def die_at_each(scene: Scene, desk: Desk, lives: Lives, *, every: bool) -> int:
    whole = new_stage(desk)
    act = await scene(whole)
    lived = lives.live(act, 0)
    assert lived["status"] < 300
    await again(desk, act)
    expected = await outcome(whole)
    # between two of what others can see, one death is as good as another
    deaths = [at for at, step in enumerate(lived["steps"], start=1) if every or step in VISIBLE]
    for at in deaths:
        stage = new_stage(desk)
        act = await scene(stage)
        assert lives.live(act, at) == {"killed_by": 9}, (at, lived["steps"])
        await buried(desk.database)
        await again(desk, act)
        assert await outcome(stage) == expected, f"killed before step {at} of {lived['steps']}"
    audit = await books.audit(desk.database)
    assert audit.fault is None
    return len(deaths)


@pytest.mark.parametrize("scene", FEW, ids=lambda scene: scene.__name__)
async def test_killed_where_something_becomes_true_every_sum_still_moves_once(
    scene: Scene, desk: Desk, lives: Lives
) -> None:
    assert await die_at_each(scene, desk, lives, every=False) >= 6


@pytest.mark.soak
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_killed_before_any_step_every_sum_still_moves_once(scene: Scene, desk: Desk, lives: Lives) -> None:
    print(scene.__name__, await die_at_each(scene, desk, lives, every=True))
