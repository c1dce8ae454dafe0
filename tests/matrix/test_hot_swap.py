"""Swaps while orders come in: nothing accepted is lost, charged twice or left without its mail, and no app restarts."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
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

# Orders a second: what the goals are stated for, on a machine that has nothing else to do.
RATE = float(os.environ.get("SIDECART_MATRIX_RATE", "50"))
MOST_ERRORS = 0.001
LONGEST_GAP_S = 10
BACKLOG_GONE_S = 30
# The books are read through the edge, a call an order at the end: that takes its time as well.
ALL_RIGHT_S, ALL_RIGHT_S_PER_ORDER = 120, 0.05
CAUSE_LENGTH, MOST_CAUSES = 160, 5
MAIL, CARDS = ("email.yaml", "email-2.yaml"), ("card-processor.yaml",)
BROKERS = [
    ("pubsub=rabbitmq", "notification-queue=rabbitmq"),
    ("pubsub=kafka",),
    ("pubsub=redis", "notification-queue=redis"),
]

STORES = ("order-details=mongodb", "order-details=dynamodb", "order-details=postgresql")

Elsewhere = Callable[..., None]


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


@dataclass
class Course:
    """What happened when, in seconds since the first order."""

    load: Load
    seen: Seen
    began: datetime
    steps: list[str]
    ended: datetime

    @property
    def backlog_s(self) -> float:
        """How long after the last order the last of them was paid, and the last mail came."""
        paid = [datetime.fromisoformat(order["updated_at"]) for order in self.seen.orders.values()]
        assert self.seen.mailed_at
        return (max(*paid, self.seen.mailed_at) - self.ended).total_seconds()

    def since(self, moment: datetime) -> float:
        return (moment - self.began).total_seconds()


async def run(
    shop: Shop, customers: list[Customer], seconds: float, steps: Mapping[str, Callable[[], object]]
) -> Course:
    """Take *steps* under load, and hold the books against what was promised."""
    sku = f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit = Audit(shop, {sku: SOLD})
    course = Course(Load(shop, customers, sku, rate=RATE), Seen(), datetime.now(UTC), [], datetime.now(UTC))
    async with course.load as load:
        await asyncio.sleep(seconds)
        for name, step in steps.items():
            before = course.since(datetime.now(UTC))
            await asyncio.to_thread(step)
            course.steps.append(f"{name} {before:.1f}-{course.since(datetime.now(UTC)):.1f} s")
            await asyncio.sleep(seconds)
    course.ended = datetime.now(UTC)
    patience = ALL_RIGHT_S + ALL_RIGHT_S_PER_ORDER * len(load.outcome.placed)
    course.seen = await audit.hold(load.outcome.placed, deadline_s=patience)
    return course


def judge(course: Course) -> None:
    """Print the figures, then hold them against the goals."""
    outcome = course.load.outcome
    placed, tries = len(outcome.placed), outcome.tries
    paid = sorted(course.since(datetime.fromisoformat(order["updated_at"])) for order in course.seen.orders.values())
    gap, at = max((after - before, before) for before, after in pairwise(paid))
    errors = (tries - placed) / tries
    print(f"\n{placed} orders, {tries - placed} answers to try again ({errors:.2%})", end=", ")
    print(f"slowest order {max(outcome.latencies_s):.1f} s; {', '.join(course.steps)}")
    for cause, count in Counter(failed[:CAUSE_LENGTH] for failed in outcome.failed).most_common(MOST_CAUSES):
        print(f"  {count} times {cause}")
    print(f"longest gap in paid orders {gap:.1f} s, from {at:.1f} s on; backlog gone after {course.backlog_s:.1f} s")
    assert outcome.refused == []
    assert errors <= MOST_ERRORS
    assert gap <= LONGEST_GAP_S
    assert course.backlog_s <= BACKLOG_GONE_S


@pytest.mark.timeout(600)
async def test_the_broker_is_swapped_under_load(
    system: System, shop: Shop, customers: list[Customer], seconds: float
) -> None:
    await asyncio.to_thread(system.sidecart, "swap", "embedded")
    before = system.status()
    course = await run(shop, customers, seconds, {to[0]: partial(system.sidecart, "swap", *to) for to in BROKERS})
    after = system.status()
    judge(course)
    assert after.keys() == before.keys()
    # the apps never, and the sidecars neither: one that hangs as it leaves a broker would be started anew
    assert {name for name in after if after[name]["pid"] != before[name]["pid"]} == set()


@pytest.fixture
def at_home(system: System) -> Iterator[None]:
    """Documents lie in PostgreSQL, and do so again for the next test wherever a move stopped."""
    system.sidecart("swap", "embedded")
    yield
    system.sidecart("swap", "embedded")


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("at_home")
async def test_documents_move_from_store_to_store_under_load(
    system: System, shop: Shop, customers: list[Customer], seconds: float
) -> None:
    before = system.status()
    steps = {word: partial(system.sidecart, "swap", word) for word in STORES}
    judge(await run(shop, customers, seconds, steps))
    after = {name: it for name, it in system.status().items() if name in before}
    assert {name: (it["pid"], it["restarts"]) for name, it in after.items()} == {
        name: (it["pid"], it["restarts"]) for name, it in before.items()
    }


@pytest.fixture
def elsewhere(system: System, tmp_path: Path) -> Iterator[Elsewhere]:
    """Moves mail and cards to other addresses, and back at the end."""

    def move(names: Iterable[str], *changes: tuple[str, str]) -> None:
        for name in names:
            put(system, name, tmp_path, *changes)

    yield move
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
    steps = {"mail": partial(elsewhere, MAIL, host, port), "cards": partial(elsewhere, CARDS, url)}
    judge(await run(shop, customers, seconds, steps))
    assert (mail.connections > 0, processor.connections > 0) == (True, True)
    assert shop.system.pids() == before
