import asyncio
from typing import Any
from uuid import uuid4

import pytest

from apps.chassis.database import Database
from apps.notifications import wordings
from apps.notifications.catalogue import Catalogue
from apps.notifications.shipped import Key
from apps.notifications.wordings import (
    BadTemplateError,
    Preview,
    TemplateBody,
    TemplateChangedError,
    TemplateNotFoundError,
)
from tests.store.notifications.conftest import rows

STAFF = uuid4()
MAIL: Key = ("order-expired", "email", "de-AT")
SMS: Key = ("order-expired", "sms", "en")
DATA = {"number": "A-1", "total": {"amount": 5, "currency": "EUR"}, "expired_at": "2026-05-01T12:00:00Z"}


async def put(database: Database, key: Key, expected: int | None = None, **parts: Any) -> int:
    async with database.transaction() as tx:
        return (await wordings.put(tx, key, TemplateBody.model_validate(parts), STAFF, expected)).version


async def test_every_version_is_kept_and_the_newest_serves(database: Database) -> None:
    catalogue = Catalogue()
    for number in (1, 2):
        assert await put(database, SMS, text=f"{number}: {{{{ number }}}}") == number
    await wordings.refresh(database, catalogue)
    assert catalogue.render(*SMS, None, DATA).text == "2: A-1"
    assert wordings.view(catalogue, SMS).version == 2
    assert wordings.view(catalogue, ("order-expired", "sms", "de")).version == 0
    assert len(await rows(database, "SELECT 1 FROM templates")) == 2


async def test_two_who_write_at_once_get_two_versions_or_are_told(database: Database) -> None:
    numbers = await asyncio.gather(*(put(database, SMS, text=f"{n}") for n in range(5)))
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    with pytest.raises(TemplateChangedError, match="Version 5"):
        await put(database, SMS, 4, text="late")
    assert await put(database, SMS, 5, text="in time") == 6


@pytest.mark.parametrize(
    ("key", "parts", "why"),
    [
        (SMS, {"text": "{{ nubmer }}"}, "is not given nubmer"),
        (SMS, {"text": "{% if %}"}, "text: "),
        (SMS, {"text": "x", "html": "<p>x</p>"}, "has no html"),
        (MAIL, {"text": "x", "subject": "y"}, "needs html"),
        (MAIL, {"text": "x", "subject": " ", "html": " "}, "needs subject and html"),
        (("order-expired", "email", "zz"), {"text": "x", "subject": "y", "html": "z"}, "no locale"),
    ],
)
async def test_what_cannot_serve_is_refused_at_once_with_the_reason(
    database: Database, key: Key, parts: dict[str, Any], why: str
) -> None:
    with pytest.raises(BadTemplateError, match=why):
        await put(database, key, **parts)


async def test_a_mail_of_staff_has_its_styles_inlined_and_its_tags_in_place(database: Database) -> None:
    page = (
        "<html><head><style>.big { color: red }</style></head><body><table>"
        "{% for n in [1, 2] %}<tr><td class='big'>{{ number }}&amp;{{ n }}</td></tr>{% endfor %}</table></body></html>"
    )
    await put(database, MAIL, subject="{{ number }}", html=page, text="{{ number }}")
    catalogue = Catalogue()
    await wordings.refresh(database, catalogue)
    mail = catalogue.render("order-expired", "email", "de-AT", None, {**DATA, "number": "<A>"})
    assert (mail.subject, mail.text) == ("<A>", "<A>")
    assert 'style="color: red;">&lt;A&gt;&amp;1<' in mail.html
    assert 'style="color: red;">&lt;A&gt;&amp;2<' in mail.html


def test_a_preview_shows_what_would_go_out_and_what_it_costs() -> None:
    shown = wordings.preview(Catalogue(), SMS, Preview(data=DATA))
    assert shown.text.startswith("Sidecart: your order A-1")
    assert (shown.encoding, shown.segments) == ("GSM-7", 1)
    body = TemplateBody(text="{{ number }} ж")
    shown = wordings.preview(Catalogue(), SMS, Preview(data=DATA, body=body))
    assert (shown.text, shown.encoding) == ("A-1 ж", "UCS-2")


def test_a_template_that_nobody_wrote_is_not_found() -> None:
    with pytest.raises(TemplateNotFoundError):
        wordings.view(Catalogue(), ("birthday", "email", "en"))
