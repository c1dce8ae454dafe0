"""The key under what payments has sealed is replaced while orders are paid."""

import asyncio
import json

from tests.support.shop import Customer, Shop


async def test_a_rotation_refuses_nobody_and_what_was_sealed_before_is_read_after(
    shop: Shop, customer: Customer, sku: str
) -> None:
    before = (await shop.order(customer, sku)).body
    await shop.wait_order(customer, before["id"], status="paid")
    rotation = asyncio.create_task(asyncio.to_thread(shop.system.sidecart, "keys", "rotate"))
    meanwhile = [(await shop.order(customer, sku)).body]
    while not rotation.done():
        meanwhile.append((await shop.order(customer, sku)).body)
        await asyncio.sleep(0.2)
    await rotation
    keks = json.loads((shop.system.root / "secrets.json").read_text())["payments-keks"].split(",")
    assert [each.partition(":")[0] for each in keks] == ["k2", "k1"]
    for order in meanwhile:
        await shop.wait_order(customer, order["id"], status="paid")
    [payment] = await shop.payments(customer, before["id"])
    assert payment["captured"]["amount"] == 1999
