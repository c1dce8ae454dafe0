import os
import subprocess
import time

import pytest

from apps.chassis import dead_letters
from apps.chassis.deliveries import read
from apps.contracts.orders import OrderPlaced
from apps.payments import store
from apps.payments.domain import State
from apps.payments.provider import Notice
from apps.payments.sealing import SealBrokenError
from stack import postgres
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AMOUNT, cancelled, placed


def dump(url: str) -> bytes:
    environment = {**os.environ, "LC_ALL": "C"}
    command = [str(postgres.binary("pg_dump")), "--inserts", "--data-only", url]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout


async def test_a_stolen_dump_says_nothing_about_money_people_or_methods(desk: Desk) -> None:
    order, declined = placed(), placed(amount=918_273_645)
    await desk.place(order)
    (payment,) = await desk.settled(order)
    body = {"amount": 123_456_789, "reason": "torn packaging"}
    reply = await desk.call("POST", f"/payments/{payment.id}/refunds", body, role="support")
    assert reply.status == 202
    await desk.settled(order)
    await desk.cancel(cancelled(order))
    await desk.settled(order)
    desk.till.decline = True
    await desk.place(declined)
    await desk.settled(declined)
    async with desk.database.transaction() as tx:
        broken = read(OrderPlaced, "1", {"id": "e", "data": {"total": AMOUNT}})
        await dead_letters.add(tx, desk.database.codec, payment.id, broken)
        await store.add_notice(tx, Notice("evt_abc", "x.y", None, None), b'{"amount": 735192846}')

    url = desk.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    stolen = dump(url)
    rows = ("payments", "ledger", "outbox", "provider_answers", "notices", "dead_letters", "idempotent_replies")
    assert all(f"INSERT INTO public.{table} ".encode() in stolen for table in rows)
    # bytea is dumped as hex, so that what stood in a record in clear would show as the hex of its letters
    words = [
        str(AMOUNT), "123456789", "918273645", "EUR", "eur", "mastercard", "4444", "visa", "9995", "pm_card", "pi_",
        "re_", "succeeded", "captured", "declined", "insufficient", "refunded", "processing", "canceled", "torn",
        "evt_abc", str(order.order_id), str(order.customer_id), "payment-", "order cancelled",
    ]  # fmt: skip
    # random bytes hold short hex words by chance: what has fewer than five letters is looked for as JSON would hold it
    found = [word for word in words if word.encode() in stolen and len(word) > 4]
    found += [word for word in words if (word if len(word) > 4 else f'"{word}"').encode().hex().encode() in stolen]
    assert found == []


async def test_a_dump_in_clear_would_be_noticed(desk: Desk) -> None:
    """The scan above can fail: what is not sealed shows up in it."""
    await desk.sql("INSERT INTO notices (key, sealed) VALUES (gen_random_uuid(), :body)", body=b"735192846")
    url = desk.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    assert b"735192846".hex().encode() in dump(url)


async def test_swapped_records_are_refused_and_stop_nobody_else(desk: Desk) -> None:
    first, second, third = orders = [placed(), placed(), placed()]
    await desk.place(*orders)
    ids = [(await desk.payment(order.order_id)).id for order in orders]
    await desk.sql(
        "UPDATE payments p SET sealed = o.sealed, wrapped_key = o.wrapped_key FROM payments o "
        "WHERE p.id = ANY(:pair) AND o.id = ANY(:pair) AND o.id <> p.id",
        pair=ids[:2],
    )
    (payment,) = await desk.settled(third)
    assert payment.state is State.SUCCEEDED
    for order in (first, second):
        with pytest.raises(SealBrokenError):
            await desk.payment(order.order_id)
    assert len(desk.till.taken) == 1
    # set aside rather than tried for ever
    assert await desk.sql("SELECT 1 FROM payments WHERE due_at < now() + interval '1 year'") == []


async def test_records_set_aside_for_want_of_a_key_are_taken_up_when_it_is_back(desk: Desk) -> None:
    order, paid = placed(), placed()
    await desk.place(paid)
    await desk.settled(paid)
    await desk.place(order)
    await desk.sql("UPDATE payments SET key_id = 'gone' WHERE due_at IS NOT NULL")
    await _set_aside(desk, tries=1)
    # the second start finds it unreadable still
    await _set_aside(desk, tries=2)
    called = len(desk.till.calls)
    await desk.sql("UPDATE payments SET key_id = 'k1' WHERE key_id = 'gone'")
    (payment,) = await desk.settled(order)
    assert (payment.state, len(desk.till.calls)) == (State.SUCCEEDED, called + 1)


async def _set_aside(desk: Desk, tries: int) -> None:
    """Start a worker, and wait until it has tried to open the record for the *tries*-th time and let go of it."""

    async def done() -> bool:
        condition = "key_id = 'gone' AND lease IS NULL AND tries = :tries"
        return bool(await desk.sql(f"SELECT 1 FROM payments WHERE {condition}", tries=tries))  # noqa: S608

    async with desk.working():
        await desk.until(done)


async def test_half_a_swap_is_refused_too(desk: Desk) -> None:
    orders = [placed(), placed()]
    await desk.place(*orders)
    await desk.sql("UPDATE payments p SET wrapped_key = o.wrapped_key FROM payments o WHERE o.id <> p.id")
    for order in orders:
        with pytest.raises(SealBrokenError):
            await desk.payment(order.order_id)


@pytest.mark.bench
async def test_cost_of_a_payment(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    orders = [placed() for _ in range(500)]
    began = time.process_time()
    for at in range(0, 500, 50):
        await desk.place(*orders[at : at + 50])
    claimed = time.process_time()
    await desk.settled(*orders[-1:])
    async with desk.working():
        await desk.until(lambda: _captured(desk, 500))
    ended = time.process_time()
    with capsys.disabled():
        print(f"claim {(claimed - began) * 2000:.0f} us, work {(ended - claimed) * 2000:.0f} us a payment")


async def _captured(desk: Desk, count: int) -> bool:
    ((found,),) = await desk.sql("SELECT count(*) FROM outbox")
    return bool(found == count)
