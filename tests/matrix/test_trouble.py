"""The reference profile in trouble: any process killed and, as on the embedded one, any link cut under load."""

import asyncio
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.chaos.test_kill_each_process import PROCESSES, survive
from tests.matrix.columns import Column, expected
from tests.support.audit import Audit
from tests.support.load import SOLD, Load, buyers, letters
from tests.support.proxies import Link, Proxies
from tests.support.rewiring import rewire
from tests.support.shop import Shop
from tests.support.system import System

RATE = 20
CUT_S = 3.0
WELL_WITHIN_S = 120
CUSTOMERS = 6
# Links that lead to one place are cut together.
LINKS = {
    "card-processor": ("card-processor", "card-processor-2"),
    "mail": ("email", "email-2"),
    "broker": ("pubsub", "notification-queue"),
    "order-details": ("order-details",),
    "undelivered": ("undelivered",),
}
# The server had a mail whose answer was cut off: one in each lane.
MAILS_MAY_REPEAT = {"mail": 2}


@contextmanager
def started(profile: str) -> Generator[System]:
    """A system that starts with a profile, and that this module may break as it likes."""
    if (why := Column(profile, (profile,)).missing) is not None:
        assert profile not in expected(), why
        pytest.skip(why)
    with System().placed() as system:
        system.up("--profile", profile)
        yield system


@pytest.fixture(scope="module")
def reference() -> Iterator[System]:
    with started("reference") as system:
        yield system


@pytest.mark.parametrize("name", [*PROCESSES, "rabbitmq", "mongodb"])
async def test_orders_survive_a_kill_on_the_reference_profile_of(name: str, reference: System, seconds: float) -> None:
    async with Shop(reference) as shop:
        await survive(name, reference, shop, await buyers(shop, CUSTOMERS), seconds)


@pytest.fixture(scope="module", params=["reference", "embedded"])
def linked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, dict[str, Link]]]:
    """A system of each profile whose every way out leads through a proxy."""
    profile: str = request.param
    with ExitStack() as stack:
        system = (
            request.getfixturevalue("reference") if profile == "reference" else stack.enter_context(started(profile))
        )
        proxies = stack.enter_context(Proxies())
        yield system, rewire(system, proxies, tmp_path_factory.mktemp("rewired"), profile)


@pytest.mark.parametrize("name", LINKS)
async def test_orders_survive_a_cut_of_the_link_to(name: str, linked: tuple[System, dict[str, Link]]) -> None:
    system, links = linked
    async with Shop(system) as shop:
        sku = f"tea-{letters(8)}"
        await shop.put_product(sku, stock=SOLD)
        customers = await buyers(shop, CUSTOMERS)
        audit = Audit(shop, {sku: SOLD})
        async with Load(shop, customers, sku, rate=RATE, cancel_share=0.1) as load:
            await asyncio.sleep(1)
            with ExitStack() as cut:
                for link in LINKS[name]:
                    cut.enter_context(links[link].cut())
                await asyncio.sleep(CUT_S)
            await asyncio.sleep(1)
        assert load.outcome.refused == []
        assert len(load.outcome.placed) > RATE
        repeats = MAILS_MAY_REPEAT.get(name, 0)
        await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S, mails_may_repeat=repeats)
