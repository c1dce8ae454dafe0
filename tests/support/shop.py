"""A client of the shop, as anybody could write one: everything goes through the edge."""

import asyncio
import json
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import aiohttp

from tests.support.system import PATIENCE_S, System

T = TypeVar("T")
ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}
PASSWORD = "a long and unusual password"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None

    @property
    def slug(self) -> str:
        """The problem's slug; a failure that is no problem fails the test."""
        assert self.headers.get("content-type", "").startswith("application/problem+json"), (self.status, self.text)
        return str(self.body["type"]).rpartition("/")[2]


@dataclass(frozen=True)
class Customer:
    id: str
    email: str
    token: str = field(repr=False)


class Shop:
    """`async with Shop(system) as shop:`; one connection pool."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=30)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session
        await self._session.close()

    async def call(
        self, app_id: str, method: str, path: str, body: Any = None, *,
        token: str | None = None, key: str | None = None, headers: dict[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Call a service; *body* is JSON unless it is bytes."""
        sent = {"content-type": "application/json", **(headers or {})}
        if token:
            sent["authorization"] = f"Bearer {token}"
        if key:
            sent["idempotency-key"] = key
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        assert self._session
        url = self.system.invoke_url(app_id, path)
        async with self._session.request(method, url, data=content, headers=sent) as answer:
            return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.text())

    async def put_product(self, sku: str, price: int = 1999, stock: int | None = None, name: str = "Tea") -> None:
        product = {"name": name, "price": {"amount": price, "currency": "EUR"}, "stock": stock, "active": True}
        staff = self.operator_token("staff")
        done = await self.call("orders", "PUT", f"/products/{sku}", product, token=staff)
        assert done.status in (200, 201), done.text

    async def register(self, email: str | None = None, **profile: str) -> Customer:
        """Register and sign in somebody new."""
        email = email or f"ada-{uuid4().hex[:12]}@example.org"
        registered = await self.call("users", "POST", "/users", {"email": email, "password": PASSWORD, **profile})
        assert registered.status == 202, registered.text
        token = await self.sign_in(email)
        me = await self.call("users", "GET", "/users/me", token=token)
        assert me.status == 200, me.text
        return Customer(me.body["id"], email, token)

    async def sign_in(self, email: str, password: str = PASSWORD) -> str:
        session = await self.call("users", "POST", "/sessions", {"email": email, "password": password})
        assert session.status == 201, session.text
        return str(session.body["access_token"])

    def operator_token(self, role: str, user_id: str | None = None, ttl_s: int = 3600) -> str:
        """As `sidecart token`, without its start-up time."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.system.port(8001)}/internal/operator-tokens",
            data=json.dumps({"role": role, "ttl_s": ttl_s} | ({"user_id": user_id} if user_id else {})).encode(),
            headers={"content-type": "application/json", "dapr-api-token": self.system.app_token("users")},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return str(json.loads(answer.read())["access_token"])

    async def order(
        self, customer: Customer, sku: str, *, method: str = "pm_card_visa", quantity: int = 1, key: str | None = None
    ) -> Answer:
        body = {"lines": [{"sku": sku, "quantity": quantity}], "shipping_address": ADDRESS, "payment_method": method}
        return await self.call("orders", "POST", "/orders", body, token=customer.token, key=key or uuid4().hex)

    async def show(self, customer: Customer, order_id: str) -> Any:
        answer = await self.call("orders", "GET", f"/orders/{order_id}", token=customer.token)
        assert answer.status == 200, answer.text
        return answer.body

    async def payments(self, customer: Customer, order_id: str) -> list[Any]:
        answer = await self.call("payments", "GET", f"/payments?order_id={order_id}", token=customer.token)
        assert answer.status == 200, answer.text
        items: list[Any] = answer.body["items"]
        return items

    async def wait_order(self, customer: Customer, order_id: str, deadline_s: float = PATIENCE_S, **fields: str) -> Any:
        """Return the order once each of *fields* has its value."""

        async def reached() -> Any:
            order = await self.show(customer, order_id)
            return order if all(order[name] == value for name, value in fields.items()) else None

        return await until(reached, f"order {order_id} to have {fields}", deadline_s)

    async def wait_mail(self, to: str, text: str, deadline_s: float = PATIENCE_S) -> dict[str, Any]:
        """Return the mail to *to* whose subject or text holds *text*."""

        async def arrived() -> dict[str, Any] | None:
            mails = await asyncio.to_thread(self.system.mailbox, to)
            return next((mail for mail in mails if text in mail["subject"] or text in (mail["html"] or "")), None)

        return await until(arrived, f"a mail to {to} that says {text!r}", deadline_s)


async def until(
    question: Callable[[], Awaitable[T | None]], what: str, deadline_s: float = PATIENCE_S, every_s: float = 0.05
) -> T:
    """Ask until there is an answer; fail, naming *what*, when the deadline passes."""
    last: Exception | None = None
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                try:
                    if (answer := await question()) is not None:
                        return answer
                except (AssertionError, aiohttp.ClientError, OSError) as error:
                    last = error
                await asyncio.sleep(every_s)
    except TimeoutError:
        raise AssertionError(f"waited {deadline_s:.0f} s in vain for {what}; last trouble: {last!r}") from last
