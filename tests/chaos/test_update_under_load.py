"""Replicas come, go and are replaced while orders come in: no request fails, and nothing accepted is lost."""

import asyncio
import os

import psycopg
import pytest

from tests.support.audit import Audit
from tests.support.load import SOLD, Load, letters
from tests.support.shop import Customer, Shop
from tests.support.system import System

RATE = float(os.environ.get("SIDECART_UPDATE_RATE", "25"))
# Orders' newest migrations may be run again: they lock every table that they change, and find it changed already.
NEWEST, BEFORE = "0008", "0006"
SERVICES = ("users", "orders", "payments", "notifications")


async def change(shop: Shop, customers: list[Customer], *commands: tuple[str, str]) -> None:
    """Give *commands* under load; not one answer may have had to be asked for again."""
    sku = f"tea-{letters(8)}"
    await shop.put_product(sku, stock=SOLD)
    audit = Audit(shop, {sku: SOLD})
    async with Load(shop, customers, sku, rate=RATE, cancel_share=0.1, life_share=0.05) as load:
        await asyncio.sleep(1)
        for command in commands:
            await asyncio.to_thread(shop.system.sidecart, *command)
        await asyncio.sleep(1)
    outcome = load.outcome
    print(f"{len(outcome.placed)} orders, {len(outcome.failed)} failed, slowest {max(outcome.latencies_s):.2f} s")
    assert outcome.refused == []
    assert outcome.failed == []
    await audit.hold(outcome.placed, deadline_s=90)


def version(system: System, *, back: bool = False) -> str:
    """Return the version of orders' schema; *back* leaves its newest migrations to be run once more."""
    with psycopg.connect(system.secret("orders-database-owner-url"), autocommit=True) as owner:
        found = owner.execute("SELECT version_num FROM alembic_version").fetchone()
        assert found
        if back:
            assert found == (NEWEST,), "name the newest migrations of orders that may be run again"
            owner.execute("UPDATE alembic_version SET version_num = %s", (BEFORE,))
        return str(found[0])


async def test_a_service_that_runs_alone_is_migrated_and_replaced_without_a_failed_request(
    system: System, shop: Shop, customers: list[Customer]
) -> None:
    before = system.pids()
    version(system, back=True)
    await change(shop, customers, ("update", "orders"))
    after = system.pids()
    assert version(system) == NEWEST
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"orders", "orders-daprd"}


@pytest.mark.resilience
async def test_replicas_come_and_go_without_a_failed_request(
    system: System, shop: Shop, customers: list[Customer]
) -> None:
    await change(shop, customers, ("scale", "payments=2"), ("update", "payments"), ("scale", "payments=1"))
    assert "payments-2" not in system.pids()


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_is_updated_alone_and_in_company(
    system: System, shop: Shop, customers: list[Customer], name: str
) -> None:
    """SIDECART_UPDATE_RATE=50 for the full load."""
    if name == "orders":
        version(system, back=True)
    await change(shop, customers, ("update", name), ("scale", f"{name}=3"), ("update", name), ("scale", f"{name}=1"))
    assert not [each for each in system.pids() if each.startswith((f"{name}-2", f"{name}-3"))]


def test_a_bare_sidecar_is_not_updated(system: System) -> None:
    said = system.sidecart("update", "edge", check=False)
    assert (said.returncode, "restart edge-daprd" in said.stderr) == (1, True)
