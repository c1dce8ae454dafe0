"""Every mail reaches its own reader and nobody else: the stock mail component mixes up mails that go out at once."""

import asyncio
import base64
import html
import os
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.contracts.base import Event, Money
from apps.contracts.orders import Line, OrderPaid
from apps.contracts.users import EmailVerificationRequested, UserRegistered
from tests.support.campaigns import ask, upload
from tests.support.post import mails_after, newest_mail, people, publish
from tests.support.shop import Shop
from tests.support.system import System

MANY = int(os.environ.get("SIDECART_ADDRESSED_MAILS", "100000"))
SILENCE_S = 60
"""No mail at all for so long means that no more will come."""
# What somebody on the way might take for an escape of his own: the body passes through JSON twice.
ODD = "\\n \\u0041 \u2028 \U0001f600 %41 {0}"


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


async def mails_since(system: System, last: int) -> AsyncIterator[dict[str, Any]]:
    """Yield what comes after the mail *last*, until nothing has come for a while."""
    quiet_since = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() - quiet_since < SILENCE_S:
        page = await asyncio.to_thread(mails_after, system, last)
        for mail in page:
            yield mail
        if page:
            last, quiet_since = page[-1]["id"], asyncio.get_running_loop().time()
        else:
            await asyncio.sleep(0.5)


@pytest.mark.parametrize(
    "count", [pytest.param(2_000), pytest.param(MANY, marks=[pytest.mark.soak, pytest.mark.timeout(0)])]
)
async def test_mails_under_load_reach_the_right_mailbox_each(shop: Shop, count: int) -> None:
    system, known = shop.system, list(people(count))
    facts = [fact(number, person) for number, person in enumerate(known)]
    last = await asyncio.to_thread(newest_mail, system)
    await publish(system, "users", known)
    orders = [found for found in facts if isinstance(found, OrderPaid)]
    codes = [found for found in facts if isinstance(found, EmailVerificationRequested)]
    sending = asyncio.gather(publish(system, "orders", orders), publish(system, "users", codes))
    missing = {person.email: (person, about) for person, about in zip(known, facts, strict=True)}
    wrong: list[str] = []
    theirs, ours = {person.email for person in known}, {person.user_id.hex for person in known}
    async for mail in mails_since(system, last):
        if elsewhere(mail, theirs, ours):
            continue
        wrong += [f"{mail['id']}: {fault}" for fault in faults(mail, missing)]
        if not missing:
            break
    await sending
    assert (wrong, list(missing)) == ([], [])


@pytest.mark.parametrize(
    "count", [pytest.param(1_000), pytest.param(MANY, marks=[pytest.mark.soak, pytest.mark.timeout(0)])]
)
async def test_mails_of_a_campaign_reach_the_right_mailbox_each(shop: Shop, count: int) -> None:
    """They go to the component by the list and to the server one behind another, and are mails of their own."""
    system, news = shop.system, {"subject": f"Spring {uuid4().hex}", "text": f"Everything new {ODD}. " * 20}
    missing = {f"guest-{uuid4().hex}@example.org" for _ in range(count)}
    theirs = frozenset(missing)
    id_ = await upload(shop, sorted(missing), news)
    last = await asyncio.to_thread(newest_mail, system)
    await ask(shop, "POST", f"/campaigns/{id_}/start")
    wrong: list[str] = []
    async for mail in mails_since(system, last):
        if theirs.isdisjoint(mail["recipients"]) and mail["subject"] != news["subject"]:
            continue
        wrong += [f"{mail['id']}: {fault}" for fault in faults_of_news(mail, missing, news)]
        if not missing:
            break
    assert (wrong, list(missing)) == ([], [])


def faults_of_news(mail: dict[str, Any], missing: set[str], news: dict[str, str]) -> Sequence[str]:
    """Return what is wrong with a campaign's *mail*, and strike its reader off."""
    [reader, *others] = mail["recipients"]
    if reader not in missing:
        return [f"nobody waits for it at {reader}"]
    missing.remove(reader)
    link = mail["headers"]["List-Unsubscribe"].strip("<>")
    token = link.partition("token=")[2]
    named = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    told = {
        "envelope": (others, []),
        "to": (mail["to"], [reader]),
        "cc": (mail["cc"], []),
        "bcc": ([name for name in mail["headers"] if name.lower() == "bcc"], []),
        "subject": (mail["subject"], news["subject"]),
        "link": (reader.encode() in named, True),
        "html": ([html.unescape(mail["html"]).count(part) for part in (news["text"].strip(), token)], [1, 1]),
        "text": ([mail["text"].count(part) for part in (news["text"].strip(), token)], [1, 1]),
    }
    return [f"{part} is {found}, not {expected}" for part, (found, expected) in told.items() if found != expected]


def elsewhere(mail: dict[str, Any], readers: set[str], ids: set[str]) -> bool:
    """Whether *mail* is another test's, late: neither is one of *readers* named nor anything said that is one's own."""
    return readers.isdisjoint(mail["recipients"]) and ids.isdisjoint(re.findall("[0-9a-f]{32}", str(mail)))


def faults(mail: dict[str, Any], missing: dict[str, tuple[UserRegistered, Event]]) -> Sequence[str]:
    """Return what is wrong with *mail*, and strike its reader off; a second one to the same reader is wrong as well."""
    [reader, *others] = mail["recipients"]
    if reader not in missing:
        return [f"nobody waits for it at {reader}"]
    person, about = missing.pop(reader)
    told = {
        "envelope": (others, []),
        "to": (mail["to"], [reader]),
        "cc": (mail["cc"], []),
        "bcc": ([name for name in mail["headers"] if name.lower() == "bcc"], []),
        "subject": (mail["subject"], expected_subject(person, about)),
        "html": (says(mail["html"], person.user_id, about), True),
        "text": (says(mail["text"], person.user_id, about), True),
    }
    return [f"{part} is {found}, not {expected}" for part, (found, expected) in told.items() if found != expected]


def expected_subject(person: UserRegistered, about: Event) -> str:
    if isinstance(about, OrderPaid):
        german = f"Bestellung {about.number} ist bestätigt"
        return german if person.locale == "de" else f"Order {about.number} is confirmed"
    return "Bestätigen Sie Ihre E-Mail-Adresse" if person.locale == "de" else "Verify your e-mail address"


def says(text: str, user: UUID, about: Event) -> bool:
    if isinstance(about, OrderPaid):
        return f"Tea for {user.hex} {ODD}" in text and f"Reader {user.hex[:8]}" in text
    return f"token-{user.hex}" in text and "Tea for" not in text
