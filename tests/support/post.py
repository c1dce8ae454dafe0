"""Facts published as their service does, and mails counted, for tests with many of them."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import uuid4

import aiohttp

from apps.contracts.base import Event, Money
from apps.contracts.orders import Line, OrderPaid
from apps.contracts.users import UserRegistered
from stack.home import CHECKOUT
from tests.support.system import System

BATCH = 200


def batches(facts: Iterable[Event], size: int = BATCH) -> Iterator[list[Event]]:
    rest = iter(facts)
    while batch := list(islice(rest, size)):
        yield batch


async def publish(system: System, app_id: str, facts: Iterable[Event]) -> None:
    """Publish as the service *app_id* does."""
    sidecar = {"users": 3501, "orders": 3502}[app_id]
    headers = {"dapr-api-token": system.sidecar_token(app_id)}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{system.port(sidecar)}", headers=headers) as session:
        for batch in batches(facts):
            entries = [
                {"entryId": str(place), "event": found.model_dump(mode="json"), "contentType": "application/json"}
                for place, found in enumerate(batch)
            ]
            async with session.post(f"/v1.0/publish/bulk/pubsub/{batch[0].topic}", json=entries) as answer:
                assert answer.status in (200, 204), await answer.text()


def people(count: int, locales: Sequence[str] = ("en", "de")) -> Iterator[UserRegistered]:
    """No two have anything in common but their language."""
    for number in range(count):
        user = uuid4()
        yield UserRegistered(
            user_id=user,
            sequence=1,
            email=f"reader-{user.hex}@example.org",
            name=f"Reader {user.hex[:8]}",
            phone=None,
            locale=locales[number % len(locales)],
            timezone="UTC",
        )


def paid(buyer: UserRegistered) -> OrderPaid:
    """Return that *buyer* paid an order, whose number nobody else has."""
    price = Money(amount=1999, currency="EUR")
    return OrderPaid(
        order_id=(order := uuid4()),
        customer_id=buyer.user_id,
        number=f"N-{order.hex}",
        sequence=2,
        total=price,
        lines=(Line(sku="tea", name="Tea", quantity=1, unit_price=price),),
        paid_at=datetime.now(UTC),
    )


def mails_kept(system: System) -> int:
    """How many mails the mailbox has taken."""
    return int(system.stand_in("mailbox", "/messages?limit=1")["total"])


def bare_rate(system: System, count: int) -> float:
    """The mails a second of a bare loop against the same mailbox, in a process of its own."""
    command = [sys.executable, "-m", "tests.support.bare_post", str(system.port(1025))]
    done = subprocess.run(
        [*command, system.secret("smtp-user"), str(count)],
        cwd=CHECKOUT,
        env={**os.environ, "SMTP_PASSWORD": system.secret("smtp-password")},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return float(done.stdout)


def mails_after(system: System, last: int, limit: int = 500) -> list[dict[str, Any]]:
    """The mails that came after the mail *last*, oldest first, a page of them."""
    items: list[dict[str, Any]] = system.stand_in("mailbox", f"/messages?after={last}&limit={limit}")["items"]
    return items


def newest_mail(system: System) -> int:
    """The id of the last mail that the mailbox has taken."""
    items = system.stand_in("mailbox", "/messages?limit=1")["items"]
    return int(items[0]["id"]) if items else 0
