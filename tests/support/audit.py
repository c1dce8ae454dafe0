"""Look at a running system from outside, by page, until its invariants hold."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from stack.invariants import Json
from tests.support.invariants import Placed, Seen, violations
from tests.support.shop import Shop, until

PAGE = 100
AT_ONCE = 8
SERVICES = ("users", "orders", "payments", "notifications")


class Audit:
    """Watches what happens from its making on; *skus* are articles whose stock it counted at first."""

    def __init__(self, shop: Shop, skus: dict[str, int]) -> None:
        self._shop = shop
        self._skus = skus
        self._support = shop.operator_token("support", ttl_s=24 * 3600)
        # the processor counts in whole seconds: what it took earlier in this one is another audit's
        self._since = datetime.now(UTC).replace(microsecond=0)
        self._earlier = {intent["id"] for intent in self._processor("/v1/payment_intents")}
        # likewise what was mailed before: a repeat that an earlier test allowed is no fault of this one
        newest = shop.system.stand_in("mailbox", "/messages?limit=1")["items"]
        self._last_mail = newest[0]["id"] if newest else 0
        self._mails: Counter[tuple[str, str]] = Counter()
        self._mailed_at: datetime | None = None

    async def hold(self, placed: Iterable[Placed], *, deadline_s: float = 60, mails_may_repeat: int = 0) -> Seen:
        """Wait until every invariant holds; fail with every violation that is left at the deadline."""
        expected = list(placed)
        seen, wrong = Seen(), ["nobody has looked yet"]

        async def all_well() -> bool | None:
            nonlocal seen, wrong
            seen = await self.look()
            wrong = violations(expected, seen, mails_may_repeat=mails_may_repeat)
            if not wrong:
                seen.payments = await self._payments(seen.orders)
                wrong = violations(expected, seen, mails_may_repeat=mails_may_repeat)
            return None if wrong else True

        try:
            await until(all_well, "the invariants to hold", deadline_s, every_s=0.5)
        except AssertionError as error:
            count = f"{len(wrong)} violations among {len(seen.orders)} orders"
            raise AssertionError("\n".join([f"{error}; {count}:", *sorted(wrong)])) from None
        return seen

    async def look(self) -> Seen:
        """Read every list once."""
        intents = await asyncio.to_thread(self._processor, "/v1/payment_intents")
        refunds = await asyncio.to_thread(self._processor, "/v1/refunds")
        await self._read_mails()
        listed = await self._list("orders", "/orders", {"placed_from": self._since.isoformat()})
        orders = {order["id"]: order for order in listed if self._ours(order)}
        return Seen(
            orders=orders,
            intents=self._of_ours(intents, listed, orders),
            refunds=refunds,
            mails=self._mails.copy(),
            mailed_at=self._mailed_at,
            stock={sku: (first, await self._stock(sku)) for sku, first in self._skus.items()},
            dead_letters={name: await self._dead_letters(name) for name in SERVICES},
        )

    def _ours(self, order: Json) -> bool:
        return any(line["sku"] in self._skus for line in order["lines"])

    def _of_ours(self, intents: list[Json], listed: list[Json], orders: dict[str, Json]) -> list[Json]:
        """Leave out what is known to belong to orders of other articles: those are another audit's."""
        others = {order["id"] for order in listed} - orders.keys()
        return [
            intent
            for intent in intents
            if intent["id"] not in self._earlier and intent["metadata"].get("order_id") not in others
        ]

    async def _dead_letters(self, service: str) -> int:
        """Count those that came since: another test may have left some that it meant to leave."""
        letters = await self._list(service, "/dead-letters", {})
        return sum(datetime.fromisoformat(letter["received_at"]) >= self._since for letter in letters)

    async def _list(self, app_id: str, path: str, query: dict[str, str]) -> list[Json]:
        items: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            asked = urlencode({"limit": PAGE, **query, **cursor})
            answer = await self._shop.call(app_id, "GET", f"{path}?{asked}", token=self._support)
            assert answer.status == 200, (app_id, path, answer.status, answer.text)
            items += answer.body["items"]
            if answer.body["next"] is None:
                return items
            cursor = {"cursor": answer.body["next"]}

    def _processor(self, path: str) -> list[Json]:
        """Read a list of the processor's, as far back as this audit goes."""
        items: list[Json] = []
        query = f"?limit={PAGE}&created[gte]={int(self._since.timestamp())}"
        while True:
            after = f"&starting_after={items[-1]['id']}" if items else ""
            page: Any = self._shop.system.processor(f"{path}{query}{after}")
            items += page["data"]
            if not page["has_more"]:
                return items

    async def _read_mails(self) -> None:
        query = f"/messages?after={self._last_mail}"
        for mail in (await asyncio.to_thread(self._shop.system.stand_in, "mailbox", query))["items"]:
            self._last_mail = mail["id"]
            if mail["subject"].startswith("Order "):
                self._mails.update((to, mail["subject"]) for to in mail["to"])
                at = datetime.fromisoformat(mail["at"])
                self._mailed_at = max(at, self._mailed_at or at)

    async def _stock(self, sku: str) -> int:
        return int((await self._shop.call("orders", "GET", f"/products/{sku}")).body["stock"])

    async def _payments(self, order_ids: Iterable[str]) -> dict[str, list[Json]]:
        """Ask for each order's payments: the one list that is only told by order."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(order_id: str) -> tuple[str, list[Json]]:
            async with gate:
                return order_id, await self._list("payments", "/payments", {"order_id": order_id})

        return dict(await asyncio.gather(*(ask(order_id) for order_id in order_ids)))
