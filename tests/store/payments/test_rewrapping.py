"""The key under everything is replaced while payments works; what is sealed stays as it is."""

from uuid import uuid4

import pytest

from apps.chassis import dead_letters
from apps.chassis.deliveries import read
from apps.contracts.orders import OrderPlaced
from apps.payments import books, reconciling, rewrapping, store
from apps.payments.provider import Notice
from apps.payments.sealing import SealBrokenError, keks_from
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AMOUNT, placed
from tests.store.payments.till import KEY

OTHER = KEY[::-1].lstrip("=") + "="


async def rewrap_all(desk: Desk) -> int:
    count = 0
    for table in rewrapping.TABLES:
        after: str | None = ""
        while after is not None:
            async with desk.database.transaction() as tx:
                page = await rewrapping.rewrap(tx, table, after)
            count, after = count + page.rewrapped, page.after
    return count


def take_key(desk: Desk, keks: str) -> None:
    keys = keks_from(keks)
    desk.database.codec.rekey(keys, next(iter(keys)))  # type: ignore[attr-defined]  # it is the vault


async def fill(desk: Desk) -> OrderPlaced:
    order = placed()
    await desk.place(order)
    (payment,) = await desk.settled(order)
    await desk.call("POST", f"/payments/{payment.id}/refunds", {"amount": 5}, role="support")
    await desk.settled(order)
    desk.app.state.chassis.extra = {"stripe": desk.till}
    await reconciling.run_due(desk.app.state.chassis)
    async with desk.database.transaction() as tx:
        broken = read(OrderPlaced, "1", {"id": "e", "data": {"total": AMOUNT}})
        await dead_letters.add(tx, desk.database.codec, payment.id, broken)
        await store.add_notice(tx, Notice("evt_abc", "x.y", None, None), b"{}")
    return order


async def test_everything_is_under_the_new_key_and_the_old_one_can_go(desk: Desk) -> None:
    order = await fill(desk)
    before = await desk.sql("SELECT sealed FROM payments")
    take_key(desk, f"k2:{OTHER},k1:{KEY}")
    assert await rewrap_all(desk) >= 8
    assert await rewrap_all(desk) == 0
    assert await desk.sql("SELECT sealed FROM payments") == before
    take_key(desk, f"k2:{OTHER}")
    assert (await desk.payment(order.order_id)).captured == AMOUNT
    assert (await books.audit(desk.database)).fault is None
    assert [topic for topic, _ in await desk.told()] == ["payment-captured", "payment-refunded"]
    letters = (await desk.call("GET", "/dead-letters", role="support")).json()["items"]
    assert "cannot be opened" not in str(letters)
    (other,) = await desk.settled(*[await _placed(desk)])
    assert other.captured == AMOUNT


async def _placed(desk: Desk) -> OrderPlaced:
    order = placed()
    await desk.place(order)
    return order


async def test_without_the_rewrapping_nothing_could_be_read(desk: Desk) -> None:
    order = await fill(desk)
    take_key(desk, f"k2:{OTHER}")
    with pytest.raises(SealBrokenError, match="needs key k1"):
        await desk.payment(order.order_id)


async def test_a_rewrapping_goes_on_where_it_was_interrupted_and_beside_the_work(desk: Desk) -> None:
    orders = [placed(500) for _ in range(30)]
    await desk.place(*orders)
    take_key(desk, f"k2:{OTHER},k1:{KEY}")
    async with desk.working():
        async with desk.database.transaction() as tx:
            await rewrapping.rewrap(tx, "payments", "")
            await tx.rollback()
        await rewrap_all(desk)
        await desk.until(lambda: _paid(desk, len(orders)))
    while await rewrap_all(desk):
        pass
    take_key(desk, f"k2:{OTHER}")
    assert {payment.captured for payment in await desk.settled(*orders)} == {500}
    assert len(desk.till.taken) == len(orders)


async def _paid(desk: Desk, count: int) -> bool:
    return len(await desk.told()) >= count


async def test_a_page_that_names_no_table_is_refused(desk: Desk) -> None:
    reply = await desk.call("POST", "/internal/operator/keys/rewrap", {"table": str(uuid4())})
    assert reply.status == 422
