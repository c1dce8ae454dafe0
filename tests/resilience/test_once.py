"""What is repeated has one effect, however the links behave: one charge, one order, one mail."""

import asyncio
from contextlib import ExitStack
from uuid import uuid4

import aiohttp
import pytest

from tests.support.audit import Audit
from tests.support.hops import MAIL, sending
from tests.support.load import SOLD, Load, buyers, letters
from tests.support.proxies import Link
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

RATE = 4
TROUBLE_S = 4
WELL_WITHIN_S = 120

Links = dict[str, Link]


@pytest.fixture(scope="module")
async def customers(system: System) -> list[Customer]:
    async with Shop(system) as client:
        return await buyers(client, 3)


@pytest.fixture
async def sku(shop: Shop) -> str:
    name = f"tea-{letters(8)}"
    await shop.put_product(name, stock=SOLD)
    return name


@pytest.mark.usefixtures("links")
async def test_a_charge_whose_answer_is_lost_is_repeated_and_taken_once(
    shop: Shop, links: Links, customers: list[Customer], sku: str
) -> None:
    audit = Audit(shop, {sku: SOLD})
    with links["card-processor"].answers_lost():
        async with Load(shop, customers, sku, rate=RATE) as load:
            await asyncio.sleep(TROUBLE_S)
        taken = (await audit.look()).intents
        assert taken, "the processor must have acted, or nothing was lost"
        paid = [order for order in (await audit.look()).orders.values() if order["status"] == "paid"]
        assert paid == [], "no answer came through"
    assert load.outcome.refused == []
    await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S)


async def test_orders_go_on_without_a_broker_and_are_paid_and_mailed_once_when_it_is_back(
    shop: Shop, links: Links, customers: list[Customer], sku: str
) -> None:
    audit = Audit(shop, {sku: SOLD})
    with links["pubsub"].cut(), links["notification-queue"].cut():
        async with Load(shop, customers, sku, rate=RATE) as load:
            await asyncio.sleep(TROUBLE_S)
        assert load.outcome.refused == []
    await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S)


async def test_a_slow_mail_server_gets_each_mail_once(
    shop: Shop, links: Links, customers: list[Customer], sku: str
) -> None:
    audit = Audit(shop, {sku: SOLD})
    with ExitStack() as trouble:
        for lane in ("email", "email-2"):
            trouble.enter_context(links[lane].slow(1.0))
        async with Load(shop, customers, sku, rate=RATE) as load:
            await asyncio.sleep(1)
        await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S)


async def test_a_mail_whose_answer_is_lost_is_not_repeated_by_the_sidecar(
    system: System, session: aiohttp.ClientSession
) -> None:
    to = f"once-{uuid4().hex}@example.org"
    await asyncio.to_thread(system.stand_in, "mailbox", "/faults", "PUT", {"drop_answer": True})
    try:
        call = await sending("email", {**MAIL, "emailTo": to}).call(system, session)
    finally:
        await asyncio.to_thread(system.stand_in, "mailbox", "/faults", "DELETE")
    assert not call.ok, call
    # whatever were still under way would go before this one through the same lane
    await until(lambda: sent(system, session, f"last-{to}"), "another mail to be sent")
    assert [len(system.mailbox(each)) for each in (to, f"last-{to}")] == [1, 1]


async def sent(system: System, session: aiohttp.ClientSession, to: str) -> bool | None:
    return True if (await sending("email", {**MAIL, "emailTo": to}).call(system, session)).ok else None


async def test_an_order_that_could_not_be_kept_is_placed_once_under_its_key(
    shop: Shop, links: Links, customers: list[Customer], sku: str
) -> None:
    buyer, key = customers[0], uuid4().hex
    with links["order-details"].cut():
        refused = await shop.order(buyer, sku, key=key)
        assert (refused.status, "retry-after" in refused.headers) == (503, True), refused.text
    placed = await until(lambda: accepted(shop, buyer, sku, key), "the order to be accepted")
    again = await shop.order(buyer, sku, key=key)
    assert (again.status, again.body["id"]) == (201, placed)
    listed = await shop.call("orders", "GET", "/orders?limit=100", token=buyer.token)
    assert [order["lines"][0]["sku"] for order in listed.body["items"]].count(sku) == 1


async def accepted(shop: Shop, buyer: Customer, sku: str, key: str) -> str | None:
    answer = await shop.order(buyer, sku, key=key)
    return str(answer.body["id"]) if answer.status == 201 else None
