"""Swaps while orders come in: nothing accepted is lost, charged twice or left without its mail, and no app restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.audit import Audit
from tests.support.documents import CHECKOUT
from tests.support.forwarder import Forwarder
from tests.support.invariants import Seen
from tests.support.load import SOLD, Load, letters
from tests.support.shop import Customer, Shop
from tests.support.system import System

RATE = 50
MOST_ERRORS = 0.001
LONGEST_GAP_S = 10
BACKLOG_GONE_S = 30
MAIL, CARDS = ("email.yaml", "email-2.yaml"), ("card-processor.yaml",)
BROKERS = [
    ("pubsub=rabbitmq", "notification-queue=rabbitmq"),
    ("pubsub=kafka",),
    ("pubsub=redis", "notification-queue=redis"),
]

Elsewhere = Callable[..., object]


@pytest.fixture
async def forwarders(system: System) -> AsyncIterator[tuple[Forwarder, Forwarder]]:
    """Other addresses for the mail server and the card processor."""
    async with AsyncExitStack() as stack:
        mail, processor = [await stack.enter_async_context(Forwarder(system.port(fixed))) for fixed in (1025, 8030)]
        yield mail, processor


def put(system: System, name: str, folder: Path, *changes: tuple[str, str]) -> None:
    """Apply a component of the embedded profile with *changes* to its text."""
    text = (CHECKOUT / "components/embedded" / name).read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / name).write_text(text)
    system.sidecart("apply", str(folder / name))


async def run(
    shop: Shop, customers: list[Customer], seconds: float, steps: list[Callable[[], object]]
) -> tuple[Load, Seen]:
    """Take *steps* under load, and hold the books against what was promised."""
    sku = f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit = Audit(shop, {sku: SOLD})
    async with Load(shop, customers, sku, rate=RATE) as load:
        await asyncio.sleep(seconds)
        for step in steps:
            await asyncio.to_thread(step)
            await asyncio.sleep(seconds)
    return load, await audit.hold(load.outcome.placed, deadline_s=BACKLOG_GONE_S)


def judge(load: Load, seen: Seen) -> None:
    """Print the figures, then hold them against the goals."""
    placed, tries = len(load.outcome.placed), load.outcome.tries
    paid = sorted(datetime.fromisoformat(order["updated_at"]) for order in seen.orders.values())
    gap = max((after - before).total_seconds() for before, after in pairwise(paid))
    slowest = max(load.outcome.latencies_s)
    errors = (tries - placed) / tries
    print(f"{placed} orders, {tries - placed} answers to try again ({errors:.2%}), slowest order {slowest:.1f} s,")
    print(f"longest gap in paid orders {gap:.1f} s, all books right within {BACKLOG_GONE_S} s")
    assert load.outcome.refused == []
    assert errors <= MOST_ERRORS
    assert gap <= LONGEST_GAP_S


@pytest.mark.timeout(600)
async def test_the_broker_is_swapped_under_load(
    system: System, shop: Shop, customers: list[Customer], seconds: float
) -> None:
    await asyncio.to_thread(system.sidecart, "swap", "embedded")
    before = system.status()
    load, seen = await run(shop, customers, seconds, [lambda to=to: system.sidecart("swap", *to) for to in BROKERS])
    judge(load, seen)
    after = system.status()
    assert {name: it["pid"] for name, it in after.items()} == {name: it["pid"] for name, it in before.items()}
    assert all(it["restarts"] == before[name]["restarts"] for name, it in after.items())


@pytest.fixture
def elsewhere(system: System, tmp_path: Path) -> Iterator[Elsewhere]:
    """Moves mail and cards to other addresses, and back at the end."""
    yield lambda names, *changes: [put(system, name, tmp_path, *changes) for name in names]
    for name in (*MAIL, *CARDS):
        put(system, name, tmp_path)


@pytest.mark.timeout(600)
async def test_the_mail_provider_and_the_card_processor_move_under_load(
    shop: Shop,
    customers: list[Customer],
    seconds: float,
    forwarders: tuple[Forwarder, Forwarder],
    elsewhere: Elsewhere,
) -> None:
    mail, processor = forwarders
    before = shop.system.pids()
    host = ("envRef: SIDECART_SMTP_HOST", "value: 127.0.0.1")
    port = ("envRef: SIDECART_SMTP_PORT", f'value: "{mail.port}"')
    url = ("${SIDECART_CARD_PROCESSOR_URL}", f"http://127.0.0.1:{processor.port}")
    steps = [lambda: elsewhere(MAIL, host, port), lambda: elsewhere(CARDS, url)]
    judge(*await run(shop, customers, seconds, steps))
    assert (mail.connections > 0, processor.connections > 0) == (True, True)
    assert shop.system.pids() == before
