"""Every payment is accounted for: an audit of the running system, and of one order that was altered behind its back."""

import asyncio
import json
from typing import Any

from stack import databases
from stack.home import Home
from tests.support.shop import Customer, Shop, until


async def _paid(shop: Shop, customer: Customer, sku: str) -> Any:
    """Return the payment of an order, once it succeeded."""
    order = (await shop.order(customer, sku)).body

    async def succeeded() -> Any:
        return next((one for one in await shop.payments(customer, order["id"]) if one["status"] == "succeeded"), None)

    return await until(succeeded, f"the payment of {order['id']} to succeed")


async def test_the_day_agrees_with_the_processor_and_the_books_balance(
    shop: Shop, customer: Customer, sku: str
) -> None:
    payment = await _paid(shop, customer, sku)
    found = await _audit(shop, "--since", "1h")
    # earlier tests left what they meant to leave: payments that are undecided, dead letters
    assert {name: each["violations"] for name, each in found.items() if payment["order_id"] in str(each)} == {}
    assert set(found) == {"money", "ledger", "processor", "goods", "stock", "stuck"}
    assert (found["ledger"]["violations"], found["stock"]["violations"]) == ([], [])
    assert [each for each in found["processor"]["violations"] if payment["id"] in each] == []
    assert found["processor"]["not_run"] is None
    assert found["processor"]["looked_at"] >= 1


async def test_an_audit_of_one_order_says_what_does_not_fit_and_ends_with_1(
    shop: Shop, customer: Customer, sku: str
) -> None:
    order = (await _paid(shop, customer, sku))["order_id"]
    await shop.wait_order(customer, order, status="paid")
    assert {name: each["holds"] for name, each in (await _audit(shop, "--order", order)).items()} == {
        "money": True, "ledger": True, "goods": True, "stuck": True,
    }  # fmt: skip
    with databases.connect(Home(shop.system.root, shop.system.offset), "orders") as connection:
        connection.execute("UPDATE orders SET status = 'shipped' WHERE id = %s", [order])
    assert [name for name, each in (await _audit(shop, "--order", order)).items() if not each["holds"]] == ["goods"]
    said = await asyncio.to_thread(shop.system.sidecart, "audit", "--order", order, "--settle", "0s", check=False)
    assert said.returncode == 1
    assert f"({order}): shipped, but by its parcels and returns it is paid" in said.stdout
    assert "what to do: " in said.stdout
    with databases.connect(Home(shop.system.root, shop.system.offset), "orders") as connection:
        connection.execute("UPDATE orders SET status = 'paid' WHERE id = %s", [order])


async def _audit(shop: Shop, *options: str) -> dict[str, Any]:
    """Return the verdicts of `sidecart audit` by name; its exit code says whether all hold."""
    done = await asyncio.to_thread(shop.system.sidecart, "audit", "--json", "--settle", "0s", *options, check=False)
    assert done.returncode in {0, 1}, done.stderr
    found = {each["name"]: each for each in json.loads(done.stdout)["invariants"]}
    assert (done.returncode == 0) == all(each["holds"] for each in found.values())
    return found
