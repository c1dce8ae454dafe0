"""A backup taken while orders come in becomes the same system under another name, and its books balance."""

import asyncio
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.load import Load, buyers
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

RATE = 10
CUSTOMERS = 3


@pytest.fixture(scope="module")
def other() -> Iterator[System]:
    """A home and ports where nothing has been yet."""
    with System().placed() as system:
        yield system


async def test_a_restored_system_knows_every_order_of_the_backup_and_its_books_balance(
    shop: Shop, customer: Customer, sku: str, other: System, tmp_path: Path
) -> None:
    began = datetime.now(UTC)
    before = [(await shop.order(customer, sku)).body["id"] for _ in range(3)]
    for order_id in before:
        await shop.wait_order(customer, order_id, status="paid")
    archive = tmp_path / "shop.tar"
    async with Load(shop, await buyers(shop, CUSTOMERS), sku, rate=RATE) as load:
        await until(lambda: asyncio.sleep(0, len(load.outcome.placed) > RATE or None), "orders to come in")
        earlier = [*load.outcome.placed]
        await asyncio.to_thread(shop.system.sidecart, "backup", str(archive))
    later = (await shop.order(customer, sku)).body["id"]
    assert not load.outcome.refused
    assert archive.stat().st_mode & 0o777 == 0o600

    said = await asyncio.to_thread(other.sidecart, "restore", str(archive))
    await asyncio.to_thread(other.up)
    await asyncio.to_thread(other.sidecart, "replay", *said.stdout.rpartition("replay ")[2].rstrip("`\n").split())
    async with Shop(other) as restored:
        support = restored.operator_token("support")
        known = [*before, *(placed.id for placed in earlier)]
        for order_id in known:
            await _wait_paid(restored, support, order_id)
        taken = await asyncio.to_thread(_taken, other, began)
        for order_id in known:
            await _paid_once(restored, support, order_id, taken)
        # the sealed key opens, the customer is known, and business goes on
        known_one = replace(customer, token=await restored.sign_in(customer.email))
        assert (await restored.call("orders", "GET", f"/orders/{later}", token=known_one.token)).status == 404
        again = (await restored.order(known_one, sku)).body
        await restored.wait_order(known_one, again["id"], status="paid")
        await restored.wait_mail(customer.email, f"{again['number']} is confirmed", 60)


async def _paid_once(shop: Shop, support: str, order_id: str, taken: dict[str, list[int]]) -> None:
    """Hold what payments says of a paid order against the processor's record."""
    payments = await shop.call("payments", "GET", f"/payments?order_id={order_id}", token=support)
    assert [it["captured"]["amount"] for it in payments.body["items"]] == taken[order_id]


async def _wait_paid(shop: Shop, support: str, order_id: str) -> None:
    async def paid() -> bool | None:
        order = await shop.call("orders", "GET", f"/orders/{order_id}", token=support)
        assert order.status == 200, order.text
        return order.body["status"] == "paid" or None

    await until(paid, f"order {order_id} to be paid", 60)


def _taken(system: System, since: datetime) -> dict[str, list[int]]:
    """Return what the processor took since a moment, by order."""
    found: dict[str, list[int]] = {}
    query, after = f"/v1/payment_intents?limit=100&created[gte]={int(since.timestamp())}", ""
    while True:
        page = system.processor(query + after)
        for intent in page["data"]:
            if intent["status"] == "succeeded":
                found.setdefault(intent["metadata"]["order_id"], []).append(intent["amount_received"])
        if not page["has_more"]:
            return found
        after = f"&starting_after={page['data'][-1]['id']}"


def test_a_system_that_is_there_is_not_written_over(system: System, tmp_path: Path) -> None:
    archive = tmp_path / "shop.tar"
    archive.write_text("something of somebody's")
    assert "exists already" in system.sidecart("backup", str(archive), check=False).stderr
    assert "restore into an empty SIDECART_HOME" in system.sidecart("restore", str(archive), check=False).stderr


@pytest.mark.parametrize("about", [None, {"format": 99, "taken_at": "2026-11-27T00:00:00Z", "choices": {}}])
def test_what_is_no_backup_is_refused_in_a_line(about: dict[str, object] | None, tmp_path: Path) -> None:
    archive = tmp_path / "shop.tar"
    with tarfile.open(archive, "w:gz") as written:
        if about:
            (tmp_path / "about.json").write_text(json.dumps(about))
            written.add(tmp_path / "about.json", arcname="about.json")
    with System().placed() as empty:
        done = empty.sidecart("restore", str(archive), check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert str(archive) in done.stderr
