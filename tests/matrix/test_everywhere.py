"""The suite that holds whatever plays the roles: it is the embedded system's own, unchanged."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from stack.resources import DEFAULT_PROFILE
from tests.e2e.test_flow import (
    test_a_declined_card_leaves_the_order_unpaid_and_says_why,
    test_an_account_is_verified_by_the_mail_it_gets,
    test_an_order_is_placed_paid_and_confirmed_by_mail,
    test_cancelling_a_paid_order_refunds_it,
    test_limited_stock_is_sold_once,
    test_the_processor_has_one_charge_of_the_orders_amount,
    test_the_same_idempotency_key_makes_one_order,
)
from tests.matrix.columns import CHANNELS, Column
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

__all__ = [
    "test_a_declined_card_leaves_the_order_unpaid_and_says_why",
    "test_an_account_is_verified_by_the_mail_it_gets",
    "test_an_order_is_placed_paid_and_confirmed_by_mail",
    "test_cancelling_a_paid_order_refunds_it",
    "test_limited_stock_is_sold_once",
    "test_the_processor_has_one_charge_of_the_orders_amount",
    "test_the_same_idempotency_key_makes_one_order",
]
TEMPLATE = "order-confirmation"
# Who keeps a message that its provider's type carries, by the name under which it was asked.
HOSTS = {
    "bindings.aws.ses": "email.eu-central-1.amazonaws.com",
    "bindings.aws.sns": "sns.eu-central-1.amazonaws.com",
    "bindings.apns": "api.push.apple.com",
    "bindings.postmark": "api.postmarkapp.com",
    "bindings.twilio.sendgrid": "api.sendgrid.com",
    "bindings.twilio.sms": "api.twilio.com",
}
pytestmark = pytest.mark.usefixtures("swapped")


def test_the_tour_is_walked_to_its_end(system: System) -> None:
    assert "Done: ordered, paid, confirmed by mail, cancelled and refunded." in system.sidecart("demo").stdout


def test_every_sidecar_concerned_uses_the_products(system: System, swapped: Column) -> None:
    shown = system.sidecart("profiles").stdout
    in_use = {line.split()[0]: line.split()[3] for line in shown.splitlines() if " * " in line}
    wanted = {role: it.type for role, it in swapped.chosen.items() if it.profile != DEFAULT_PROFILE}
    assert {role: in_use.get(role) for role in wanted} == wanted, shown


class Reader:
    """A customer who wants to hear of orders by mail, text message and push."""

    def __init__(self, shop: Shop, customer: Customer, phone: str, device: str) -> None:
        self.shop, self.customer = shop, customer
        self._addresses = {"email": customer.email, "sms": phone, "push": device}

    @classmethod
    async def new(cls, shop: Shop) -> "Reader":
        phone, device = f"+4930{uuid4().int % 10**8:08}", uuid4().hex * 2
        customer = await shop.register(phone=phone, locale="de")

        async def known() -> dict[str, Any] | None:
            told = await shop.call("notifications", "GET", "/preferences", token=customer.token)
            # what nobody has told yet is English
            return told.body if told.status == 200 and told.body["locale"] == "de" else None

        wanted = await until(known, "users' word of the customer to arrive")
        wanted |= {"channels": {"email": True, "sms": True, "push": True}, "device": device}
        kept = await shop.call("notifications", "PUT", "/preferences", wanted, token=customer.token)
        assert kept.status == 200, kept.text
        return cls(shop, customer, phone, device)

    async def order(self, sku: str) -> str:
        return str((await self.shop.order(self.customer, sku)).body["number"])

    def received(self, channel: str, number: str) -> list[dict[str, Any]]:
        """What the channel's provider has kept for this reader about an order."""
        to = self._addresses[channel].replace("+", "%2B")
        items = self.shop.system.stand_in(CHANNELS[channel], f"/messages?to={to}")["items"]
        return [item for item in items if number in f"{item['subject']} {item['text']}"]

    async def hears(self, channel: str, number: str) -> dict[str, Any]:
        async def arrived() -> dict[str, Any] | None:
            found = await asyncio.to_thread(self.received, channel, number)
            return found[0] if found else None

        return await until(arrived, f"word of {number} by {channel}")

    async def statuses(self) -> dict[str, str]:
        """What has become of the confirmation, by channel."""
        listed = await self.shop.call("notifications", "GET", "/notifications", token=self.customer.token)
        return {item["channel"]: item["status"] for item in listed.body["items"] if item["template"] == TEMPLATE}

    async def reach(self, status: str, *channels: str) -> None:
        async def reached() -> bool | None:
            return True if dict.fromkeys(channels, status).items() <= (await self.statuses()).items() else None

        await until(reached, f"the confirmation to be {status} by {channels}")


async def test_a_reader_hears_by_every_way_that_was_chosen(shop: Shop, sku: str, swapped: Column) -> None:
    reader = await Reader.new(shop)
    number = await reader.order(sku)
    for channel in CHANNELS:
        heard = await reader.hears(channel, number)
        assert heard["headers"].get("provider") == HOSTS.get(swapped.chosen[channel].type)
    await reader.reach("delivered", *CHANNELS)
    assert {channel: len(reader.received(channel, number)) for channel in CHANNELS} == dict.fromkeys(CHANNELS, 1)


async def test_what_a_provider_refuses_for_now_arrives_once(shop: Shop, sku: str, swapped: Column) -> None:
    theirs = {channel: keeps for channel, keeps in CHANNELS.items() if keeps in swapped.records}
    reader = await Reader.new(shop)
    for keeps in theirs.values():
        await asyncio.to_thread(shop.system.stand_in, keeps, "/faults", "PUT", {"status": 503})
    try:
        number = await reader.order(sku)
        await reader.reach("retrying", *theirs)
    finally:
        for keeps in theirs.values():
            await asyncio.to_thread(shop.system.stand_in, keeps, "/faults", "DELETE")
    for channel in theirs:
        await reader.hears(channel, number)
    await reader.reach("delivered", *CHANNELS)
    assert {channel: len(reader.received(channel, number)) for channel in theirs} == dict.fromkeys(theirs, 1)
