"""What was swapped in stays so, with its data, through a stop and a start of everything."""

import asyncio
from collections.abc import Callable

import pytest

from stack.home import CHECKOUT
from tests.matrix.columns import Column, expected
from tests.support.shop import Customer, Shop
from tests.support.system import System


@pytest.fixture
def have() -> Callable[[str], None]:
    """Go on only where a profile's servers can be had."""

    def check(profile: str) -> None:
        if (why := Column(profile, (profile,)).missing) is not None:
            assert profile not in expected(), why
            pytest.skip(why)

    return check


async def test_a_profile_and_its_documents_survive_down_and_up(
    system: System, shop: Shop, customer: Customer, sku: str, have: Callable[[str], None]
) -> None:
    have("cloud")
    await asyncio.to_thread(system.sidecart, "swap", "cloud")
    order = (await shop.order(customer, sku)).body
    await shop.wait_order(customer, order["id"], status="paid")
    await asyncio.to_thread(system.sidecart, "down")
    await asyncio.to_thread(system.up)
    assert {"kafka", "rabbitmq", "dynamodb"} <= system.status().keys()
    assert "profile: cloud" in system.sidecart("profiles").stdout
    again = await shop.show(customer, order["id"])
    assert [line["sku"] for line in again["lines"]] == [sku]
    await asyncio.to_thread(system.sidecart, "swap", "embedded")
    assert not {"kafka", "rabbitmq"} & system.status().keys()
    assert "dynamodb" in system.status(), "what was written there last may still be read there"
    assert [line["sku"] for line in (await shop.show(customer, order["id"]))["lines"]] == [sku]


async def test_a_profile_from_the_start_and_a_broker_of_another_by_hand(have: Callable[[str], None]) -> None:
    have("reference")
    with System().placed() as fresh:
        await asyncio.to_thread(fresh.up, "--profile", "reference")
        assert fresh.sidecart("profiles").stdout.startswith("profile: reference")
        pids = fresh.pids()
        fresh.sidecart("apply", str(CHECKOUT / "components/cloud/pubsub.yaml"))
        async with Shop(fresh) as shop:
            buyer = await shop.register()
            await shop.put_product("tea")
            order = (await shop.order(buyer, "tea")).body
            await shop.wait_order(buyer, order["id"], status="paid")
        running = fresh.pids()
        assert "kafka" in running
        assert {name: running[name] for name in pids} == pids
        await asyncio.to_thread(fresh.sidecart, "down")
        again = fresh.sidecart("up", "--detach", "--profile", "embedded", check=False)
        assert "the documents of order-details lie in another store than state.postgresql" in again.stderr
