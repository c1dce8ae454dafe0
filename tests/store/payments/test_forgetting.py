"""A person is forgotten: what is theirs cannot be read any more, and the money still can be accounted for."""

from apps.contracts.orders import OrderPlaced
from apps.contracts.users import UserErased
from apps.payments import books, decisions, intake, jobs, store
from apps.payments.provider import Notice
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AT, goods_returned, placed


async def erase(desk: Desk, order: OrderPlaced) -> None:
    async with desk.database.transaction() as tx:
        await intake.forget(tx, [UserErased(user_id=order.customer_id, sequence=9, erased_at=AT)])


async def test_the_record_is_sealed_anew_without_its_person_and_what_was_said_is_gone(desk: Desk) -> None:
    order, other = placed(500), placed(500)
    await desk.place(order, other)
    await desk.settled(order, other)
    payment = await desk.payment(order.order_id)
    async with desk.database.transaction() as tx:
        await store.add_notice(tx, Notice("evt_1", "x", payment.id, None), b'{"email": "ada@example.org"}')
    before = await desk.sql("SELECT wrapped_key, sealed FROM payments WHERE id = :id", id=payment.id)
    await erase(desk, order)
    after = await desk.sql("SELECT wrapped_key, sealed FROM payments WHERE id = :id", id=payment.id)
    assert not set(before[0]) & set(after[0])
    forgotten = await desk.payment(order.order_id)
    assert (forgotten.customer_id, forgotten.order_number, forgotten.captured) == (decisions.NOBODY, None, 500)
    assert (forgotten.attempt.brand, forgotten.attempt.last4, forgotten.attempt.method) == (None, None, "")
    assert await desk.sql("SELECT 1 FROM provider_answers WHERE payment_id = :id", id=payment.id) == []
    assert await desk.sql("SELECT length(sealed) FROM notices") == [(0,)]
    assert (await desk.call("GET", f"/payments/{payment.id}", who=order.customer_id)).status == 404
    kept = await desk.payment(other.order_id)
    assert (kept.customer_id, kept.attempt.last4) == (other.customer_id, "4444")
    assert (await books.audit(desk.database)).fault is None


async def test_goods_that_come_back_later_are_still_paid_for(desk: Desk) -> None:
    order = placed(500)
    await desk.place(order)
    await desk.settled(order)
    await erase(desk, order)
    await desk.hear(goods_returned(order, 300))
    (payment,) = await desk.settled(order)
    assert payment.refunded == 300


async def test_a_payment_under_way_or_heard_of_late_is_forgotten_once_it_rests(desk: Desk) -> None:
    order = placed(500)
    await erase(desk, order)
    await desk.place(order)
    await erase(desk, order)
    assert (await desk.payment(order.order_id)).customer_id == order.customer_id
    await desk.settled(order)
    for job in jobs.jobs.by_binding["every-10s"][:1]:
        await job(desk.app.state.chassis)
    payment = await desk.payment(order.order_id)
    assert (payment.customer_id, payment.captured) == (decisions.NOBODY, 500)
