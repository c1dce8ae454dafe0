from uuid import uuid4

from apps.payments.domain import State
from apps.payments.presence import Presence
from tests.store.payments.desk import Desk
from tests.store.payments.heard import placed
from tests.store.payments.till import Till, make_worker


async def test_what_a_dead_worker_held_is_taken_over_at_once(desk: Desk) -> None:
    order = placed()
    await desk.place(order)
    # by itself a round does not sign in: to the database this is a worker that was killed, its lease with 30 s to go
    await make_worker(desk.database, Till(hang={order.order_id})).round()
    (payment,) = await desk.settled(order)
    assert (payment.state, len(desk.till.taken)) == (State.SUCCEEDED, 1)


async def test_what_a_living_worker_holds_stays_with_it(desk: Desk) -> None:
    await desk.place(placed(), placed())
    desk.till.gate.clear()
    async with desk.working(make_worker(desk.database, desk.till)):
        await desk.until(lambda: _called(desk, 2))
        starting = Presence(desk.database, uuid4())
        await starting.show()
        leases = await desk.sql("SELECT id FROM payments WHERE lease IS NOT NULL AND due_at > now()")
        assert len(leases) == 2
        await starting.leave()
        desk.till.gate.set()


async def test_who_left_is_seen_no_more(desk: Desk) -> None:
    leaving = Presence(desk.database, uuid4())
    await leaving.show()
    assert await _signed_in(desk) == 1
    await leaving.leave()
    await desk.until(lambda: _nobody(desk))


async def _called(desk: Desk, count: int) -> bool:
    return len(desk.till.calls) == count


async def _signed_in(desk: Desk) -> int:
    locks = "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory'"
    return len(await desk.sql(f"{locks} AND datname = current_database()"))


async def _nobody(desk: Desk) -> bool:
    return await _signed_in(desk) == 0
