"""What was swapped in stays so, with its data, through a stop and a start of everything."""

import asyncio

import pytest

from tests.matrix.columns import Column, expected
from tests.support.shop import Customer, Shop
from tests.support.system import System

CLOUD = Column("cloud", ("cloud",))


async def test_a_profile_and_its_documents_survive_down_and_up(
    system: System, shop: Shop, customer: Customer, sku: str
) -> None:
    if (why := CLOUD.missing) is not None:
        assert "cloud" not in expected(), why
        pytest.skip(why)
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
    assert not {"kafka", "rabbitmq", "dynamodb"} & system.status().keys()
