"""Documents move to a store of another kind while orders are placed and read: none is lost, none is out of reach."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stack import databases
from stack.home import CHECKOUT, Home
from tests.support.audit import Audit
from tests.support.broker import Broker
from tests.support.load import SOLD, Load, buyers, letters
from tests.support.moving import (
    component_type,
    half_way,
    kill_half_way,
    metadata,
    read_text,
    sidecart,
    slow_down_the_old_store,
)
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

# a minute on two cores: the matrix moves documents at every change of the code
pytestmark = pytest.mark.resilience
RATE, READERS = 50, 4
READ_EVERY_S = 0.05
# How long orders go on beside the new store; more for a soak.
SECONDS = float(os.environ.get("SIDECART_CHAOS_SECONDS", "2"))
BUYERS = 4
ERRORS_AT_MOST = 0.001
TO_VALKEY = """
# Order documents in Valkey.
apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: order-details
spec:
  type: state.redis
  version: v1
  metadata:
    - name: redisHost
      envRef: SIDECART_VALKEY_ADDRESS
    - name: redisPassword
      secretKeyRef: {name: valkey-password, key: valkey-password}
auth:
  secretStore: secrets
scopes: [orders]
"""


@asynccontextmanager
async def reading(shop: Shop, load: Load, customers: Sequence[Customer]) -> AsyncGenerator[Counter[Any]]:
    """Show orders by chance, old and new, as long as the block lasts; count the answers."""
    tokens, answers = {one.email: one.token for one in customers}, Counter[Any]()

    async def read() -> None:
        while True:
            if load.outcome.placed:
                order = random.choice(load.outcome.placed)
                try:
                    answer = await shop.call("orders", "GET", f"/orders/{order.id}", token=tokens[order.email])
                    answers[answer.status if answer.status != 200 else answer.body["note"] == order.key] += 1
                except aiohttp.ClientError as error:
                    answers[repr(error)] += 1
            await asyncio.sleep(READ_EVERY_S)

    readers = [asyncio.create_task(read()) for _ in range(READERS)]
    try:
        yield answers
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


@pytest.fixture(scope="module")
async def customers(system: System) -> list[Customer]:
    async with Shop(system) as client:
        return await buyers(client, BUYERS)


@pytest.fixture(scope="module")
async def wordless(system: System, customers: list[Customer]) -> tuple[Customer, str]:
    """An order whose confirmation is written, and the word that it is to be sent lost by the queue."""
    heard = system.root / "resources/notifications-outgoing-orders.yaml"
    original, broker, customer = heard.read_text(), Broker(system), customers[0]
    before = broker.length("outgoing-orders")
    async with Shop(system) as shop:
        await shop.put_product("leaflet")
        heard.write_text(original.replace("topic: outgoing-orders\n", "topic: outgoing-nothing\n"))
        await until(lambda: hears(system, "outgoing-nothing"), "the queue to be left alone")
        number = str((await shop.order(customer, "leaflet")).body["number"])
        await until(lambda: longer(broker, before), "the word to be in the queue")
        broker.lose("outgoing-orders")
        heard.write_text(original)
        await until(lambda: hears(system, "outgoing-orders"), "the queue to be heard again")
    with databases.connect(Home(system.root, system.offset), "notifications") as store:
        query = "SELECT state FROM messages WHERE user_id = %s AND category = 'orders'"
        waiting = store.execute(query, [customer.id]).fetchall()
    assert waiting == [("queued",)]
    return customer, number


async def longer(broker: Broker, before: int) -> bool | None:
    return await asyncio.to_thread(broker.length, "outgoing-orders") > before or None


async def hears(system: System, topic: str) -> bool | None:
    told = await asyncio.to_thread(metadata, system, "notifications")
    topics = {it["topic"] for it in told["subscriptions"] if it["pubsubname"] == "notification-queue"}
    return (topic in topics and len(topics & {"outgoing-nothing", "outgoing-orders"}) == 1) or None


@pytest.mark.usefixtures("wordless")
async def test_documents_move_while_orders_are_placed_and_read(
    system: System, shop: Shop, customers: list[Customer], tmp_path: Path
) -> None:
    (tmp_path / "order-details.yaml").write_text(TO_VALKEY)
    sku = f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit, pids = Audit(shop, {sku: SOLD}), system.pids()
    copy = ("state", "copy", "--to", str(tmp_path / "order-details.yaml"))
    async with Load(shop, customers, sku, rate=RATE) as load, reading(shop, load, customers) as answers:
        await until(lambda: enough(load, 120), "two pages of documents")
        await kill_half_way(system, *copy, "--rate", "50", mark="copy.json")
        assert "taken up where it stopped" in await sidecart(system, *copy)
        slow = asyncio.create_task(slow_down_the_old_store(system))
        await sidecart(system, "state", "swap")
        await slow
        assert component_type(system) == "state.redis"
        await asyncio.sleep(SECONDS)
        await sidecart(system, "state", "copy")
    outcome = load.outcome
    assert outcome.refused == []
    assert outcome.tries - len(outcome.placed) <= ERRORS_AT_MOST * outcome.tries
    assert answers.keys() == {True}, answers
    assert system.pids() == pids, "nothing was restarted"
    seen = await audit.hold(outcome.placed)
    assert len(seen.orders) == len(outcome.placed)


async def enough(load: Load, count: int) -> bool | None:
    return len(load.outcome.placed) >= count or None


async def test_the_store_before_is_let_go_once_nothing_is_missing(
    system: System, shop: Shop, customers: list[Customer]
) -> None:
    done = await asyncio.to_thread(system.sidecart, "state", "finish", check=False)
    before = system.root / "resources" / "order-details-previous.yaml"
    if done.returncode:
        assert "may not be done: come again in" in done.stderr
        # as if a minute had passed
        os.utime(before, (0, 0))
        await sidecart(system, "state", "finish")
    assert not before.exists()
    await readable(shop, customers)


@pytest.mark.timeout(120)
async def test_documents_move_back_through_a_crash_of_the_service_that_copies(
    system: System, shop: Shop, customers: list[Customer]
) -> None:
    original = CHECKOUT / "components/embedded/order-details.yaml"
    copying = asyncio.create_task(sidecart(system, "state", "copy", "--to", str(original), "--rate", "200"))
    await until(lambda: begun(system), "the copy to be half-way")
    killed = await asyncio.to_thread(system.kill, "orders")
    await asyncio.to_thread(system.wait_ready, "orders", not_pid=killed)
    await copying
    await sidecart(system, "state", "swap")
    await sidecart(system, "state", "copy")
    assert (system.root / "resources/order-details.yaml").read_text() == original.read_text()
    os.utime(system.root / "resources" / "order-details-previous.yaml", (0, 0))
    await sidecart(system, "state", "finish")
    await readable(shop, customers)


async def begun(system: System) -> bool | None:
    return half_way(read_text(system.root / "run/copy.json")) or None


async def readable(shop: Shop, customers: list[Customer]) -> None:
    """Every order of every customer is shown with what only its document says."""
    for customer in customers:
        path: str | None = "/orders?limit=100"
        while path:
            page = await shop.call("orders", "GET", path, token=customer.token)
            assert page.status == 200, page.text
            assert all(order["shipping_address"]["city"] for order in page.body["items"])
            path = f"/orders?limit=100&cursor={page.body['next']}" if page.body["next"] else None


async def test_a_replay_that_was_killed_goes_on_where_it_stopped(system: System) -> None:
    await kill_half_way(system, "replay", "--since", "1h", "--service", "orders", "--rate", "50", mark="replay.json")
    rest = await sidecart(system, "replay", "--resume", "--rate", "5000")
    whole = await sidecart(system, "replay", "--since", "1h", "--service", "orders", "--rate", "5000")
    assert 0 < total(rest) < total(whole)


def total(told: str) -> int:
    return int(told.splitlines()[-1].split()[0].replace(",", ""))


async def test_a_message_is_sent_though_the_queue_lost_the_word_of_it(
    shop: Shop, wordless: tuple[Customer, str]
) -> None:
    customer, number = wordless
    # half a minute of grace, and the sweeper's next round; most of it has passed during the tests before
    await shop.wait_mail(customer.email, f"Order {number} is confirmed", 60)
