"""What a broker lost is repaired by publishing it again, and publishing everything again changes nothing."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from stack import databases
from stack.home import Home
from tests.support.broker import Broker
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

SERVICES = ("users", "orders", "payments", "notifications")
PAID_AND_TOLD = "is confirmed"
SOON = b"""
SELECT count(*) FROM messages
WHERE state IN ('queued', 'sending', 'retrying', 'unknown') AND due_at < now() + interval '1 minute'
"""


def asked(system: System, service: str, query: bytes) -> Any:
    with databases.connect(Home(system.root, system.offset), service) as connection:
        row = connection.execute(query).fetchone()
        assert row
        return row[0]


async def everything_is_told(system: System) -> None:
    """Wait until no service has anything to publish, the broker nothing to hand out, and no message is soon to go."""
    broker = Broker(system)

    def facts() -> list[list[int]]:
        query = b"SELECT ARRAY[count(*), count(published_at)] FROM outbox"
        return [asked(system, service, query) for service in SERVICES]

    async def at_rest() -> bool | None:
        before = await asyncio.to_thread(facts)
        waiting = await asyncio.to_thread(broker.waiting)
        # an earlier test's may wait for its next try
        due = await asyncio.to_thread(asked, system, "notifications", SOON)
        # what was handled between the two looks would have left a fact more
        same = before == await asyncio.to_thread(facts)
        return (same and not waiting and not due and all(written == told for written, told in before)) or None

    await until(at_rest, "everything to be told", 180, every_s=0.1)


async def put_off(system: System) -> None:
    """Leave for an hour what earlier tests left to be tried again later: a mail of theirs is no effect of a replay."""
    query = b"UPDATE messages SET due_at = due_at + interval '1 hour' WHERE state IN ('queued', 'retrying', 'unknown')"

    def later() -> None:
        with databases.connect(Home(system.root, system.offset), "notifications") as connection:
            connection.execute(query)

    await asyncio.to_thread(later)
    await everything_is_told(system)


def effects(system: System) -> dict[str, Any]:
    """Everything that handling an event twice would change."""
    counted = {
        f"{service}.{table}": asked(system, service, b"SELECT count(*) FROM %s" % table.encode())
        for service in SERVICES
        for table in ("inbox", "outbox", "dead_letters")
    }
    # when payments was last asked about an order that waits is no effect of an event
    rows = b"SELECT count(*)::text || md5(string_agg((to_jsonb(o) - 'asked_at')::text, '' ORDER BY id)) FROM orders o"
    counted["orders"] = asked(system, "orders", rows)
    counted["timeline"] = asked(system, "orders", b"SELECT count(*) FROM order_timeline")
    counted["messages"] = asked(system, "notifications", b"SELECT count(*) FROM messages")
    counted["mails"] = len(system.mailbox())
    counted["intents"] = system.processor("/v1/payment_intents?limit=100")["data"]
    counted["refunds"] = system.processor("/v1/refunds?limit=100")["data"]
    return counted


async def test_facts_that_the_broker_lost_arrive_when_they_are_published_again(
    system: System, shop: Shop, customer: Customer, sku: str
) -> None:
    broker, began = Broker(system), datetime.now(UTC)
    with system.without("notifications-daprd"):
        before = await asyncio.to_thread(broker.length, "order-paid")
        lost = [(await shop.order(customer, sku)).body for _ in range(3)]
        for order in lost:
            await shop.wait_order(customer, order["id"], status="paid")

        async def all_there() -> bool | None:
            return True if await asyncio.to_thread(broker.length, "order-paid") >= before + 3 else None

        await until(all_there, "the broker to have what it is to lose")
        await asyncio.to_thread(broker.lose, "order-paid")
    await asyncio.to_thread(system.wait_ready, "notifications-daprd")
    later = (await shop.order(customer, sku)).body
    await shop.wait_mail(customer.email, f"{later['number']} {PAID_AND_TOLD}", 60)
    subjects = [mail["subject"] for mail in await asyncio.to_thread(system.mailbox, customer.email)]
    assert not any(order["number"] in subject for order in lost for subject in subjects), "nothing else repairs it"

    since = (began - timedelta(seconds=1)).isoformat()
    replayed = await asyncio.to_thread(system.sidecart, "replay", "--since", since, "--topic", "order-paid")
    # an order of an earlier test may have been paid in the second before
    assert int(replayed.stdout.split(" order-paid")[0].split()[-1]) >= len([*lost, later]), replayed.stdout
    for order in lost:
        await shop.wait_mail(customer.email, f"{order['number']} {PAID_AND_TOLD}")
    await everything_is_told(system)
    subjects = [mail["subject"] for mail in await asyncio.to_thread(system.mailbox, customer.email)]
    for order in (*lost, later):
        assert sum(order["number"] in subject for subject in subjects) == 1, order["number"]


async def test_orders_that_payments_never_heard_of_are_paid_when_they_are_published_again(
    system: System, shop: Shop, customer: Customer, sku: str
) -> None:
    broker, began = Broker(system), datetime.now(UTC)
    with system.without("payments-daprd"):
        before = await asyncio.to_thread(broker.length, "order-placed")
        order = (await shop.order(customer, sku)).body

        async def there() -> bool | None:
            return True if await asyncio.to_thread(broker.length, "order-placed") > before else None

        await until(there, "the broker to have what it is to lose")
        await asyncio.to_thread(broker.lose, "order-placed")
    await asyncio.to_thread(system.wait_ready, "payments-daprd")
    assert (await shop.show(customer, order["id"]))["status"] == "placed"
    await asyncio.to_thread(system.sidecart, "replay", "--since", began.isoformat(), "--service", "orders")
    # by itself it would ask after a minute
    await shop.wait_order(customer, order["id"], status="paid", payment_status="captured")


async def test_publishing_a_whole_day_again_changes_nothing(
    system: System, shop: Shop, customer: Customer, sku: str
) -> None:
    order = (await shop.order(customer, sku)).body
    await shop.wait_order(customer, order["id"], status="paid")
    await shop.wait_mail(customer.email, f"{order['number']} {PAID_AND_TOLD}")
    await everything_is_told(system)
    await put_off(system)
    before = await asyncio.to_thread(effects, system)
    replayed = await asyncio.to_thread(system.sidecart, "replay", "--since", "24h", "--rate", "2000")
    await everything_is_told(system)
    assert await asyncio.to_thread(effects, system) == before
    told = {
        line.split()[1]: int(line.split()[0].replace(",", ""))
        for line in replayed.stdout.splitlines()
        if line[0] == " "
    }
    assert told["in"] == sum(before[f"{service}.outbox"] for service in SERVICES), replayed.stdout
    assert {"user-registered", "order-placed", "payment-captured", "order-paid", "outgoing-orders"} <= told.keys()


async def test_what_cannot_be_replayed_is_told_in_a_line(system: System) -> None:
    for arguments, remedy in (
        (("--since", "yesterday"), "write 30m"),
        (("--since", "10m", "--service", "orderz"), "there are notifications, orders"),
        ((), "give either --since or --resume"),
        (("--resume",), "give --since"),
    ):
        done = await asyncio.to_thread(system.sidecart, "replay", *arguments, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert remedy in done.stderr
