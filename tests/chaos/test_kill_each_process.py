"""`kill -9` of any one process while orders come in: each one accepted is paid exactly once and mailed."""

import asyncio
import random

import pytest

from tests.support.audit import Audit
from tests.support.load import SOLD, Load, letters
from tests.support.shop import Customer, Shop
from tests.support.system import System

RATE = 50
# RabbitMQ took 29 s once, on a machine that had ten things to do.
BACK_WITHIN_S = 120
SOAK_ROUNDS, SOAK_FACTOR = 20, 5
# Mail passes two brokers, and each may hand out again only after 25 s what a dead reader held.
WELL_WITHIN_S = 150
APPS = ("users", "orders", "payments", "notifications")
PROCESSES = (*APPS, *(f"{name}-daprd" for name in APPS), "edge-daprd", "valkey", "postgres")
# A mail comes twice where the mailbox took it and nobody who heard so lived: at most what the eight lanes had in hand.
# Of what its app had handed in the sidecar knows; whoever else dies, no mail repeats.
MAILS_MAY_REPEAT = {"notifications-daprd": 8}


async def survive(name: str, system: System, shop: Shop, customers: list[Customer], seconds: float) -> None:
    sku = f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit = Audit(shop, {sku: SOLD})
    before = system.status()[name]
    async with Load(shop, customers, sku, rate=RATE, cancel_share=0.1, life_share=0.05) as load:
        await asyncio.sleep(seconds / 2)
        killed = await asyncio.to_thread(system.kill, name)
        back = await asyncio.to_thread(system.wait_ready, name, not_pid=killed, deadline_s=BACK_WITHIN_S)
        await asyncio.sleep(seconds / 2)
    # a sidecar whose components take their time on a busy machine ends, and is started once more
    assert back["pid"] != before["pid"]
    assert back["restarts"] > before["restarts"]
    assert load.outcome.refused == []
    assert len(load.outcome.placed) > RATE * seconds / 2
    await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S, mails_may_repeat=MAILS_MAY_REPEAT.get(name, 0))


@pytest.mark.parametrize("name", PROCESSES)
async def test_orders_survive_a_kill_of(
    name: str, system: System, shop: Shop, customers: list[Customer], seconds: float
) -> None:
    await survive(name, system, shop, customers, seconds)


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_orders_survive_hundreds_of_kills(
    system: System, shop: Shop, customers: list[Customer], seconds: float
) -> None:
    for _ in range(SOAK_ROUNDS):
        for name in random.sample(PROCESSES, len(PROCESSES)):
            await survive(name, system, shop, customers, seconds * SOAK_FACTOR)
