"""What becomes of a mail when the mail server refuses it, or is in trouble."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.shop import Customer, Shop, until
from tests.support.system import System


@pytest.fixture
def faults(system: System) -> Iterator[None]:
    """Whatever the mail server was told to do, it behaves again at the end."""
    yield
    system.stand_in("mailbox", "/faults", "DELETE")


async def misbehave(shop: Shop, **fault: Any) -> None:
    await asyncio.to_thread(shop.system.stand_in, "mailbox", "/faults", "PUT", fault)


async def behave(shop: Shop) -> None:
    await asyncio.to_thread(shop.system.stand_in, "mailbox", "/faults", "DELETE")


async def has_status(shop: Shop, customer: Customer, status: str) -> None:
    """Wait until the confirmation of the customer's one order has *status*."""

    async def reached() -> bool | None:
        listed = await shop.call("notifications", "GET", "/notifications", token=customer.token)
        found = [item["status"] for item in listed.body["items"] if item["template"] == "order-confirmation"]
        return True if found == [status] else None

    await until(reached, f"the confirmation to be {status}")


@pytest.mark.usefixtures("faults")
async def test_a_mail_refused_for_good_is_kept_as_failed_and_not_sent_again(
    shop: Shop, customer: Customer, sku: str
) -> None:
    await shop.wait_mail(customer.email, "verif")
    await misbehave(shop, status=550)
    order = (await shop.order(customer, sku)).body
    await has_status(shop, customer, "failed")
    await behave(shop)
    other = await shop.register()
    later = (await shop.order(other, sku)).body
    await shop.wait_mail(other.email, later["number"])
    mails = await asyncio.to_thread(shop.system.mailbox, customer.email)
    assert [mail for mail in mails if order["number"] in mail["subject"]] == []


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("fault", [{"status": 450}, {"status": 503}])
async def test_a_mail_refused_for_now_arrives_once_the_server_is_well(
    shop: Shop, customer: Customer, sku: str, fault: dict[str, Any]
) -> None:
    await shop.wait_mail(customer.email, "verif")
    await misbehave(shop, **fault)
    order = (await shop.order(customer, sku)).body
    await has_status(shop, customer, "retrying")
    await behave(shop)
    await shop.wait_mail(customer.email, order["number"])
    await has_status(shop, customer, "delivered")
    mails = await asyncio.to_thread(shop.system.mailbox, customer.email)
    assert len([mail for mail in mails if order["number"] in mail["subject"]]) == 1
