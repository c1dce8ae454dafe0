"""Every mail reaches its own reader: the mail component mixes up mails that go through it at the same time."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from apps.contracts.base import Event, Money
from apps.contracts.orders import Line, OrderPaid
from apps.contracts.users import EmailVerificationRequested, UserRegistered
from tests.support.shop import Shop, until
from tests.support.system import System

MAILS = 2_000
BATCH = 200
DEADLINE_S = 180
# What somebody on the way might take for an escape of his own: the body passes through JSON twice.
ODD = "\\n \\u0041 \u2028 \U0001f600 %41 {0}"


def people() -> list[UserRegistered]:
    """Half of them read German, and no two have anything else in common."""
    return [
        UserRegistered(
            user_id=(user := uuid4()),
            sequence=1,
            email=f"reader-{user.hex}@example.org",
            name=f"Reader {user.hex[:8]}",
            phone=None,
            locale=("en", "de")[number % 2],
            timezone="UTC",
        )
        for number in range(MAILS)
    ]


def fact(number: int, person: UserRegistered) -> Event:
    """Every fourth gets a code, which overtakes and so mixes priorities; the others a confirmation."""
    now = datetime.now(UTC)
    if number % 4 == 0:
        fields: dict[str, Any] = {"token": f"token-{person.user_id.hex}", "expires_at": now, "sequence": 2}
        return EmailVerificationRequested(user_id=person.user_id, email=person.email, locale=person.locale, **fields)
    price = Money(amount=100 + number, currency="EUR")
    return OrderPaid(
        order_id=uuid4(),
        customer_id=person.user_id,
        number=f"N-{person.user_id.hex}",
        sequence=2,
        total=price,
        lines=(Line(sku="tea", name=f"Tea for {person.user_id.hex} {ODD}", quantity=1, unit_price=price),),
        paid_at=now,
    )


def batches(facts: Iterable[Event]) -> Iterator[list[Event]]:
    rest = iter(facts)
    while batch := list(islice(rest, BATCH)):
        yield batch


async def publish(system: System, app_id: str, facts: list[Event]) -> None:
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


@pytest.mark.timeout(DEADLINE_S * 2)
async def test_two_thousand_mails_under_load_reach_the_right_mailbox_each(shop: Shop) -> None:
    system, known = shop.system, people()
    facts = [fact(number, person) for number, person in enumerate(known)]
    orders = [found for found in facts if isinstance(found, OrderPaid)]
    codes = [found for found in facts if isinstance(found, EmailVerificationRequested)]
    await publish(system, "users", list(known))
    await asyncio.gather(publish(system, "orders", list(orders)), publish(system, "users", list(codes)))

    def arrived() -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {person.email: [] for person in known}
        for mail in system.mailbox():
            for to in mail["to"]:
                found.get(to, []).append(mail)
        return found

    async def all_arrived() -> dict[str, list[dict[str, Any]]] | None:
        found = await asyncio.to_thread(arrived)
        return found if sum(map(len, found.values())) >= MAILS else None

    by_reader = await until(all_arrived, f"{MAILS} mails", DEADLINE_S, every_s=1.0)
    for person, about in zip(known, facts, strict=True):
        [mail] = by_reader[person.email]
        assert (mail["to"], mail["subject"]) == ([person.email], expected_subject(person, about))
        assert says(mail["html"], person.user_id, about)


def expected_subject(person: UserRegistered, about: Event) -> str:
    if isinstance(about, OrderPaid):
        german = f"Bestellung {about.number} ist bestätigt"
        return german if person.locale == "de" else f"Order {about.number} is confirmed"
    return "Bestätigen Sie Ihre E-Mail-Adresse" if person.locale == "de" else "Verify your e-mail address"


def says(html: str, user: UUID, about: Event) -> bool:
    if isinstance(about, OrderPaid):
        return f"Tea for {user.hex} {ODD}" in html and f"Reader {user.hex[:8]}" in html
    return f"token-{user.hex}" in html and "Tea for" not in html
