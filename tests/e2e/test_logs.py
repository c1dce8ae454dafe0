"""What processes log serves whoever looks for a fault, and names nobody."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.support.shop import PASSWORD, Customer, Shop, until
from tests.support.system import System

# Programs that stand for what lies outside, where what was sent is to be seen.
OUTSIDE = {"mailbox", "sms", "push", "card-processor"}
ADDRESSEE = {
    "name": "Zebulon Quillfeather",
    "line1": "77 Marzipan Crescent",
    "city": "Oxbowville",
    "postal_code": "QZ9 8XW",
    "country": "GB",
}
PHONE = "+447700900461"
CARD = "4000056655665556"
TOKEN = "pm_card_chargeDeclinedFraudulent"


@pytest.fixture
def faults(system: System) -> Iterator[None]:
    """Whatever stand-ins were told to do, they behave again at the end."""
    yield
    for name in ("mailbox", "sms", "push"):
        system.stand_in(name, "/faults", "DELETE")


class Tour:
    """A person's way through the shop, with all that goes wrong on it; `told` is what no log may hold."""

    def __init__(self, shop: Shop, sku: str) -> None:
        self._shop, self._sku = shop, sku
        self.email = f"zebulon.{uuid4().hex[:10]}@quillfeather.example"
        # a local part, such as a mail server names it, is as good as the address
        self.told = {self.email.split("@")[0], *ADDRESSEE["name"].split(), *ADDRESSEE["line1"].split()[1:]}
        self.told |= {ADDRESSEE["city"], ADDRESSEE["postal_code"], PHONE, PHONE[1:], CARD, TOKEN, PASSWORD}

    async def call(self, app_id: str, method: str, path: str, body: Any = None, **how: Any) -> Any:
        return await self._shop.call(app_id, method, path, body, **how)

    async def join(self) -> Customer:
        """Register, prove the address, and sign in, with slips on the way."""
        profile = {"name": ADDRESSEE["name"], "phone": PHONE}
        customer = await self._shop.register(self.email, **profile)
        await self.call("users", "POST", "/users", {"email": self.email, "password": PASSWORD, **profile})
        await self.call("users", "POST", "/sessions", {"email": self.email, "password": "Marzipan, wrongly"})
        await self.call(
            "users", "POST", "/users", {"email": f"{self.email}@", "password": PASSWORD, "phone": "Marzipan"}
        )
        session = await self.call("users", "POST", "/sessions", {"email": self.email, "password": PASSWORD})
        self.told |= {session.body["access_token"], session.body["refresh_token"], customer.token}
        await self.call("users", "POST", "/sessions/refresh", {"refresh_token": session.body["refresh_token"]})
        await self.call("users", "POST", "/password-resets", {"email": self.email})
        await self.call("users", "GET", f"/users?q={self.email}", token=self._shop.operator_token("support"))
        return customer

    async def buy(self, customer: Customer) -> None:
        """Order, be refused a card, and send what is no order."""
        order = {"lines": [{"sku": self._sku, "quantity": 1}], "shipping_address": ADDRESSEE}
        keys = {"token": customer.token}
        for method in ("pm_card_visa", TOKEN, CARD):
            await self.call("orders", "POST", "/orders", order | {"payment_method": method}, key=uuid4().hex, **keys)
        broken = json.dumps(order)[:-3].encode()
        await self.call("orders", "POST", "/orders", broken, key=uuid4().hex, **keys)
        stranger = {"channels": {"sms": True}, "locale": ADDRESSEE["line1"]}
        await self.call("notifications", "PUT", "/preferences", stranger, **keys)

    async def be_unreachable(self, customer: Customer, name: str, status: int) -> None:
        """Order while nothing reaches the customer, and wait until that is known."""
        await asyncio.to_thread(self._shop.system.stand_in, name, "/faults", "PUT", {"status": status})
        placed = await self._shop.order(customer, self._sku)

        async def refused() -> bool | None:
            listed = await self.call("notifications", "GET", "/notifications", token=customer.token)
            return True if any(item["status"] in ("failed", "retrying") for item in listed.body["items"]) else None

        await until(refused, "a mail to be refused")
        await asyncio.to_thread(self._shop.system.stand_in, name, "/faults", "DELETE")
        await self._shop.wait_order(customer, placed.body["id"], status="paid")


@pytest.mark.usefixtures("faults")
async def test_no_log_names_a_person(shop: Shop, sku: str) -> None:
    tour = Tour(shop, sku)
    customer = await tour.join()
    await tour.buy(customer)
    await tour.be_unreachable(customer, "mailbox", 550)
    await tour.be_unreachable(customer, "mailbox", 503)
    found = await asyncio.to_thread(_mentions, shop.system, tour.told)
    assert not found, "\n".join(found)


def _mentions(system: System, told: set[str]) -> list[str]:
    logs = [path for path in sorted((system.root / "logs").glob("*.log")) if path.stem not in OUTSIDE]
    assert {"orders", "orders-daprd", "edge-daprd", "postgres", "valkey", "sentry"} <= {path.stem for path in logs}
    return [
        f"{path.stem} names {value!r}: {line[:400]}"
        for path in logs
        for line in path.read_text(errors="replace").splitlines()
        for value in told
        if value.casefold() in line.casefold()
    ]


async def test_what_is_logged_for_a_request_carries_its_trace(shop: Shop, customer: Customer) -> None:
    trace = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-00"}
    await shop.call("users", "POST", "/users/me/password", b"{", token=customer.token, headers=headers)
    answer = await shop.call("orders", "GET", f"/orders/{uuid4()}", token=customer.token, headers=headers)
    assert answer.body["trace_id"] == trace
