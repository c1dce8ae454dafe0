from collections.abc import Iterator

import pytest

from apps.payments import terms
from apps.payments.domain import State
from apps.payments.terms import Terms
from apps.payments.worker import Worker
from tests.store.payments.desk import Desk
from tests.store.payments.heard import cancelled, placed
from tests.store.payments.till import Till, make_worker


@pytest.fixture
def routed() -> Iterator[None]:
    terms.use(lambda *_: Terms("checkout-com"))
    yield
    terms.use(None)


@pytest.mark.usefixtures("routed")
async def test_what_one_processor_took_it_also_gives_back_whatever_the_routes_say_by_then(desk: Desk) -> None:
    first, second = Till(), Till()
    order = placed()
    await desk.place(order)

    async def taken() -> bool:
        return (await desk.payment(order.order_id)).state is State.SUCCEEDED

    async with desk.working(both(desk, first, second)):
        await desk.until(taken)
    terms.use(None)
    await desk.cancel(cancelled(order))

    async def gone() -> bool:
        payment = await desk.payment(order.order_id)
        return payment.refunded == payment.captured

    async with desk.working(both(desk, first, second)):
        await desk.until(gone)
    assert (len(second.taken), len(second.given)) == (1, 1)
    assert first.calls == []
    # and nobody who takes the database learns which
    (row,) = await desk.sql("SELECT CAST(p AS text) AS whole FROM payments p")
    assert "checkout" not in row.whole


def both(desk: Desk, first: Till, second: Till) -> Worker:
    worker = make_worker(desk.database, first)
    worker._providers = {"stripe": first, "checkout-com": second}
    return worker
