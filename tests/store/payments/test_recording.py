import pytest
from psycopg import OperationalError

from apps.payments import store
from apps.payments.domain import State
from tests.store.payments.desk import Desk
from tests.store.payments.heard import placed
from tests.store.payments.till import make_worker


async def test_what_could_not_be_recorded_is_recorded_and_told_the_next_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = placed()
    await desk.place(order)
    worker = make_worker(desk.database, desk.till)
    await worker.round()
    await desk.until(lambda: _finished(desk))
    with monkeypatch.context() as broken:
        broken.setattr(store, "take", _away)
        with pytest.raises(OperationalError):
            await worker.round()
    assert (await desk.payment(order.order_id)).state is State.PROCESSING
    assert await desk.told() == []
    await worker.round()
    assert (await desk.payment(order.order_id)).state is State.SUCCEEDED
    assert [topic for topic, _ in await desk.told()] == ["payment-captured"]


async def test_a_worker_that_comes_late_with_no_news_leaves_the_payment_to_its_holder(desk: Desk) -> None:
    await desk.place(placed())
    desk.till.busy = 1
    late, other = make_worker(desk.database, desk.till, lease_s=0), make_worker(desk.database, desk.till)
    await late.round()
    await desk.until(lambda: _finished(desk))
    desk.till.gate.clear()
    await other.round()
    held = await desk.sql("SELECT lease, due_at FROM payments WHERE lease IS NOT NULL")
    await late.round()
    assert await desk.sql("SELECT lease, due_at FROM payments") == held
    desk.till.gate.set()


async def _away(*_: object) -> None:
    raise OperationalError


async def _finished(desk: Desk) -> bool:
    return bool(desk.till.calls)
