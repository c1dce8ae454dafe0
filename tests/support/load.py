"""Open-loop load by well-behaved clients: each order has its moment, whatever became of those before it."""

import asyncio
import random
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from tests.support import lives
from tests.support.invariants import Placed
from tests.support.shop import ADDRESS, Answer, Customer, Shop

PATIENCE_S: Final = 60.0
AT_ONCE: Final = 64
"""Requests under way; on a machine that cannot keep up, people queue at the door, and their waiting counts."""
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 2.0
SOLD: Final = 1_000_000
"""How many of an article of the load there are at first."""
AWAY: Final = range(500, 600)


@dataclass(slots=True)
class Outcome:
    """What became of the load."""

    placed: list[Placed] = field(default_factory=list[Placed])
    latencies_s: list[float] = field(default_factory=list[float])
    """From the moment of the order to its answer, queueing and retries included."""
    tries: int = 0
    refused: list[str] = field(default_factory=list[str])
    """Answers that a client can do nothing about, and orders that nobody answered for."""
    failed: list[str] = field(default_factory=list[str])
    """Answers that had to be asked for again: the client got there, but not at once."""


async def buyers(shop: Shop, count: int) -> list[Customer]:
    """Register *count* customers and give them tokens that outlast the test."""
    people = await asyncio.gather(*(shop.register() for _ in range(count)))
    return [Customer(one.id, one.email, shop.operator_token("customer", one.id, 24 * 3600)) for one in people]


def letters(count: int = 20) -> str:
    """Return a name by chance, without digits, which might pass for a card number."""
    return "".join(random.choices(string.ascii_lowercase, k=count))


class Load:
    """`async with Load(...) as load:` orders *rate* times a second until the block ends, then waits for the answers.

    *cancel_share* of the orders are cancelled as soon as they are accepted, while they may be in the middle of paying.
    *life_share* of them live on: changed, sent in parcels, delivered, and taken back in part.
    """

    def __init__(
        self, shop: Shop, customers: Sequence[Customer], sku: str, *,
        rate: float, cancel_share: float = 0.0, life_share: float = 0.0,
    ) -> None:  # fmt: skip
        self._shop = shop
        self._customers = customers
        self._sku = sku
        self._rate = rate
        self._cancel_share = cancel_share
        self._life_share = life_share
        self._door = asyncio.Semaphore(AT_ONCE)
        self._stopped = asyncio.Event()
        self._pacing: asyncio.Task[None] | None = None
        self._staff_token = ""
        self.outcome = Outcome()

    async def __aenter__(self) -> Self:
        if self._life_share:  # before anything is troubled: the token comes from users
            self._staff_token = await asyncio.to_thread(self._shop.operator_token, "staff", ttl_s=24 * 3600)
        self._pacing = asyncio.create_task(self._pace())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._pacing
        self._stopped.set()
        if kind is not None:
            self._pacing.cancel()
        await asyncio.gather(self._pacing, return_exceptions=kind is not None)

    async def _pace(self) -> None:
        started, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as orders:
            while not self._stopped.is_set():
                orders.create_task(self._one(self._customers[number % len(self._customers)]))
                number += 1
                await asyncio.sleep(max(0.0, started + number / self._rate - time.monotonic()))

    async def _one(self, customer: Customer) -> None:
        key, began, chance = letters(), time.monotonic(), random.random()
        lives_on = chance > 1 - self._life_share
        order = {
            "lines": [{"sku": self._sku, "quantity": lives.PIECES if lives_on else 1}],
            "shipping_address": ADDRESS,
            "payment_method": "pm_card_visa",
            "note": key,
        }
        answer = await self.until_answered("POST", "/orders", order, customer.token, {"idempotency-key": key})
        if answer is None:
            return
        if answer.status != 201:
            self.outcome.refused.append(f"POST /orders: {answer.status} {answer.text}")
            return
        self.outcome.latencies_s.append(time.monotonic() - began)
        body = answer.body
        placed = Placed(body["id"], body["number"], customer.email, body["total"], key)
        if chance < self._cancel_share:
            placed = replace(placed, cancelled=await self._cancel(customer, placed.id))
        elif lives_on:
            placed = await lives.live_on(self, self._staff_token, customer, self._sku, placed)
        self.outcome.placed.append(placed)

    async def _cancel(self, customer: Customer, order_id: str) -> bool:
        key = {"idempotency-key": letters()}
        answer = await self.until_answered("POST", f"/orders/{order_id}/cancel", {}, customer.token, key)
        if answer is not None and answer.status != 202:
            self.outcome.refused.append(f"cancel {order_id}: {answer.status} {answer.text}")
        return answer is not None and answer.status == 202

    async def until_answered(
        self, method: str, path: str, body: Any, token: str, headers: dict[str, str] | None = None
    ) -> Answer | None:
        """Repeat a request under the same key while the answer is that there is none yet; patience ends some time."""
        limit, pause, last = time.monotonic() + PATIENCE_S, FIRST_PAUSE_S, "nothing"
        while time.monotonic() < limit:
            self.outcome.tries += 1
            try:
                async with self._door:
                    answer = await self._shop.call("orders", method, path, body, token=token, headers=headers)
                if not _comes_later(answer):
                    return answer
                last = f"{answer.status} {answer.text}"
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                last = repr(error)
            self.outcome.failed.append(f"{method} {path}: {last}")
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))
            pause = min(pause * 2, LONGEST_PAUSE_S)
        self.outcome.refused.append(f"{method} {path} was not answered within {PATIENCE_S:.0f} s; last: {last}")
        return None


def _comes_later(answer: Answer) -> bool:
    # an edge whose callee dies in the middle of its answer may say 200 and nothing else: that accepts no order
    if answer.status == 200 and not answer.text:
        return True
    return answer.status in AWAY or (answer.status == 409 and "request-in-progress" in answer.text)
