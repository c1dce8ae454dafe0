"""A crash at each point where one matters: before and after each commit, publish, answer and call to the outside."""

import asyncio
import os
from itertools import groupby, zip_longest
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.audit import Audit
from tests.support.load import SOLD, Load, letters
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

RATE = 10
LANDS_WITHIN_S = 90
BACK_WITHIN_S = 120
# Mail passes two brokers, and each may hand out again only after 25 s what a dead reader held.
WELL_WITHIN_S = 150
TOUR_S = 2.0

EVERYWHERE = {"commit.before", "commit.after", "publish.before", "publish.after", "mark.after"}
EVERYWHERE |= {"reply.before", "reply.after"}
# What the tour must pass in each service; a seam that is taken out of the code is missed here.
EXPECTED = {
    "users": EVERYWHERE,
    "orders": EVERYWHERE | {"acknowledge.before"},
    "payments": EVERYWHERE | {"acknowledge.before", "provider-call.before", "provider-call.after"},
    "notifications": EVERYWHERE | {"acknowledge.before", "binding.before", "binding.after"},
}


@pytest.fixture(scope="module")
def seams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seams")


async def live(shop: Shop, customers: list[Customer], seconds: float) -> None:
    """A little of everything: orders paid, orders cancelled, somebody new who is sent a mail."""
    sku = f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit = Audit(shop, {sku: SOLD})
    async with Load(shop, customers, sku, rate=RATE, cancel_share=0.3, life_share=0.2) as load:
        await asyncio.sleep(seconds)
        await shop.register()
    await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S)


@pytest.fixture(scope="module")
async def passed(system: System, seams: Path, customers: list[Customer]) -> list[str]:
    """Every seam that a clean run passes, services by turns: one that crashes again at once is held back longer."""
    async with Shop(system) as shop:
        await live(shop, customers, TOUR_S)
    found = sorted(set((seams / "passed").read_text().split()))
    by_service = [list(group) for _, group in groupby(found, key=lambda seam: seam.partition(":")[0])]
    return [seam for turn in zip_longest(*by_service) for seam in turn if seam]


async def test_a_clean_run_passes_every_point_of_the_chassis(passed: list[str]) -> None:
    for service, points in EXPECTED.items():
        assert points <= {seam.partition(":")[2] for seam in passed if seam.startswith(f"{service}:")}, service


ONLY = os.environ.get("SIDECART_CRASH_IN", "")
"""A service whose seams alone are tried."""


@pytest.mark.timeout(900)
async def test_a_crash_at_any_seam_loses_nothing_and_repeats_nothing(
    passed: list[str], system: System, seams: Path, customers: list[Customer], subtests: pytest.Subtests
) -> None:
    for seam in [seam for seam in passed if seam.startswith(ONLY)]:
        with subtests.test(seam=seam):
            async with Shop(system) as shop:
                await crash_at(seam, shop, seams, customers)


async def crash_at(seam: str, shop: Shop, seams: Path, customers: list[Customer]) -> None:
    service = seam.partition(":")[0]
    sku = f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit = Audit(shop, {sku: SOLD})
    before = shop.system.status()[service]
    async with Load(shop, customers, sku, rate=RATE, cancel_share=0.3) as load:
        order(seams, seam)
        await landed(shop, seams)
        back = await asyncio.to_thread(shop.system.wait_ready, service, not_pid=before["pid"], deadline_s=BACK_WITHIN_S)
    assert back["restarts"] == before["restarts"] + 1
    assert load.outcome.refused == []
    # not even where a mail was taken and the process that was told so died before it wrote that down
    await audit.hold(load.outcome.placed, deadline_s=WELL_WITHIN_S)


def order(seams: Path, seam: str) -> None:
    """Ask for a kill, in one step: a seam that is passed meanwhile reads a whole name or none."""
    (seams / "landed").unlink(missing_ok=True)
    (seams / "kill.new").write_text(seam)
    (seams / "kill.new").rename(seams / "kill")


async def landed(shop: Shop, seams: Path) -> None:
    """Wait until the kill has landed; take it back where it does not."""

    async def noted() -> bool | None:
        # somebody new now and then: users has no part in an order
        registration = {"email": f"eve-{uuid4().hex}@example.org", "password": "a long and unusual password"}
        if not (seams / "landed").exists():
            await shop.call("users", "POST", "/users", registration)
        return (seams / "landed").exists() or None

    try:
        await until(noted, "the kill to land", LANDS_WITHIN_S, every_s=0.2)
    finally:
        (seams / "kill").unlink(missing_ok=True)
