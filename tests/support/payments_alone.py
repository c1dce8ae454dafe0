"""Payments with its real sidecar, database, broker and processor, and nobody else at work: orders is a bare sidecar.

What a test says on its behalf reaches payments as orders' own word would; what payments says, nobody hears.
"""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import psycopg
import yaml
from uuid_utils.compat import uuid7

from apps.contracts.base import Money
from apps.contracts.orders import OrderCancelled, OrderFact, OrderPlaced
from stack import topology
from tests.support.broker import Broker
from tests.support.system import System, wait_for

_AT_ONCE: Final = 500
_AN_APPS_OWN: Final = ("appPort", "command", "enableAppHealthCheck")
_PAGE: Final = 100


def write_topology(folder: Path) -> Path:
    """Write the checkout's topology without notifications and without the app of orders; return the file."""
    known = yaml.safe_load(topology.DEFAULT_FILE.read_text())
    base = topology.DEFAULT_FILE.parent
    known["common"]["resourcesPaths"] = [str(base / path) for path in known["common"]["resourcesPaths"]]
    known["apps"] = [app for app in known["apps"] if app["appID"] != "notifications"]
    for app in known["apps"]:
        if app["appID"] == "orders":
            for name in _AN_APPS_OWN:
                del app[name]
    file = folder / "dapr.yaml"
    file.write_text(yaml.safe_dump(known))
    return file


def placed(amount: int = 1999, method: str = "pm_card_visa", currency: str = "EUR") -> OrderPlaced:
    """Return the fact that an order nobody else knows of was placed."""
    return OrderPlaced(
        order_id=uuid7(),
        customer_id=uuid7(),
        number="A1",
        sequence=1,
        total=Money(amount=amount, currency=currency),
        payment_method=method,
        placed_at="2026-01-02T03:04:05Z",
    )


def cancelled(order: OrderPlaced) -> OrderCancelled:
    about = {"order_id": order.order_id, "customer_id": order.customer_id, "number": order.number, "sequence": 2}
    return OrderCancelled(**about, total=order.total, reason=None, cancelled_at="2026-01-02T03:05:05Z")


@dataclass
class Alone:
    """What tests do with such a system."""

    system: System
    said: list[OrderFact] = field(default_factory=list)

    def say(self, facts: Sequence[OrderFact]) -> None:
        """Publish facts as orders would."""
        for first in range(0, len(facts), _AT_ONCE):
            page = facts[first : first + _AT_ONCE]
            entries = [
                {
                    "entryId": str(number),
                    "event": fact.model_dump(mode="json"),
                    "contentType": "application/json",
                    "metadata": {"cloudevent.id": str(uuid7()), "cloudevent.type": fact.topic},
                }
                for number, fact in enumerate(page)
            ]
            path = f"/v1.0/publish/bulk/pubsub/{page[0].topic}"
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.system.port(3502)}{path}",
                data=json.dumps(entries).encode(),
                headers={"content-type": "application/json"},
            )
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=60) as answer:
                refused = answer.read()
            assert not refused, refused
            self.said += page

    def backlog(self, facts: Sequence[OrderFact], names: Sequence[str] = ("payments",)) -> ExitStack:
        """Say *facts* while payments is away; it comes back when the block that this opens ends."""
        away = ExitStack()
        for name in names:
            away.enter_context(self.system.without(f"{name}-daprd"))
            away.enter_context(self.system.without(name))
        self.say(facts)
        return away

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask payments' database."""
        with psycopg.connect(self.system.secret("payments-database-url"), autocommit=True) as connection:
            return connection.execute(statement.encode(), values or None).fetchall()

    def booked(self) -> int:
        """Return how many movements of money are in the books."""
        return int(self.sql("SELECT count(*) FROM ledger")[0][0])

    def wait_booked(self, count: int, deadline_s: float) -> None:
        wait_for(lambda: self.booked() >= count, f"{count} movements in the books", deadline_s, every_s=0.5)

    def rate(self, since: int) -> float:
        """Return how many movements a second were booked, of those after the first *since*."""
        seconds, count = self.sql(
            "SELECT extract(epoch FROM max(booked_at) - min(booked_at)), count(*) FROM "
            "(SELECT booked_at FROM ledger ORDER BY booked_at OFFSET %s) AS late",
            since,
        )[0]
        return float((count - 1) / float(seconds))

    def resting(self, payments: int) -> bool:
        """Tell whether so many payments are known and none of them has anything left to do."""
        known, moving = self.sql("SELECT count(*), count(due_at) FROM payments")[0]
        return (known, moving) == (payments, 0)

    def wait_resting(self, payments: int, deadline_s: float) -> None:
        wait_for(lambda: self.resting(payments), f"{payments} payments to come to rest", deadline_s, every_s=1)

    def intents(self) -> list[dict[str, Any]]:
        """Return every charge by the processor's own record."""
        return list(self._listed("payment_intents"))

    def refunds(self) -> list[dict[str, Any]]:
        return list(self._listed("refunds"))

    def _listed(self, kind: str) -> Iterator[dict[str, Any]]:
        after, more = "", True
        while more:
            page = self.system.processor(f"/v1/{kind}?limit={_PAGE}{after}")
            yield from page["data"]
            more = page["has_more"]
            after = f"&starting_after={page['data'][-1]['id']}" if page["data"] else ""

    def told(self, topic: str) -> list[dict[str, Any]]:
        """Return what payments has published, out of the broker."""
        found = Broker(self.system).ask("XRANGE", topic, "-", "+")
        fields = [dict(zip(content[::2], content[1::2], strict=True)) for _, content in found]
        return [json.loads(each["data"])["data"] for each in fields]

    def send_webhooks(self) -> None:
        """Have the processor tell payments everything, through the edge."""
        url = self.system.invoke_url("payments", "/webhooks/stripe")
        form = urlencode({"url": url, "enabled_events[]": "*"}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.system.port(8030)}/v1/webhook_endpoints",
            data=form,
            headers={"authorization": f"Bearer {self.system.secret('card-processor-key')}"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            assert answer.status == 200
