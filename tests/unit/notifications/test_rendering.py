import copy
import html
import re
from typing import Any, get_args

import pytest

from apps.contracts.users import AlertKind, EmailVerificationRequested
from apps.notifications.catalogue import Catalogue, UnknownTemplateError, Version
from apps.notifications.rendering import Rendered, RenderingError
from apps.notifications.segments import segments
from apps.notifications.shipped import shipped
from apps.notifications.sources import Source

EUR_19_99 = {"amount": 1999, "currency": "EUR"}
ORDER = {"order_id": "0197-1", "customer_id": "c", "number": "A-1001", "total": {"amount": 5997, "currency": "EUR"}}
NOON = "2026-03-31T23:30:00Z"
LINES = [
    {"sku": "mug", "name": "Mug & saucer", "quantity": 2, "unit_price": EUR_19_99},
    {"sku": "tea", "name": "Tea", "quantity": 1, "unit_price": EUR_19_99},
]
DATA: dict[str, dict[str, Any]] = {
    "order-confirmation": {
        **ORDER,
        "lines": LINES,
        "paid_at": NOON,
    },
    "order-changed": {**ORDER, "lines": LINES, "changed_at": NOON},
    "order-expired": {**ORDER, "expired_at": NOON},
    "order-shipped": {
        **ORDER,
        "lines": LINES,
        "carrier": "DHL",
        "tracking_number": "JJD0001",
        "complete": False,
        "shipped_at": NOON,
    },
    "order-delivered": {**ORDER, "complete": True, "delivered_at": NOON},
    "order-returned": {**ORDER, "lines": LINES, "refund": EUR_19_99, "complete": False, "returned_at": NOON},
    "password-reset": {"email": "ann@example.org", "token": "t0k3n", "expires_at": NOON},
    "announcement": {"subject": "Spring is here", "text": "Everything new.", "unsubscribe_url": "https://x.example/u"},
    "order-cancelled": {**ORDER, "reason": "changed my mind", "cancelled_at": NOON},
    "payment-declined": {
        "order_id": "0197-1",
        "order_number": "A-1001",
        "decline_code": "insufficient_funds",
        "declined_at": NOON,
    },
    "refund": {
        "order_id": "0197-1",
        "order_number": "A-1001",
        "amount": EUR_19_99,
        "refunded": {"amount": 3998, "currency": "EUR"},
        "refunded_at": NOON,
    },
    "verify-email": {"email": "ann@example.org", "token": "t0k3n", "expires_at": NOON, "purpose": "registration"},
    "digest": {
        "items": [
            {"subject": "Your parcel is on its way", "text": "Sidecart: your order A-1001 is on its way with DHL."},
            {"subject": "Order A-1002 <is> confirmed", "text": ""},
        ]
    },
    "account-notice": {"kind": "refresh_token_reused", "happened_at": NOON},
}
# payments' facts bring the order's id for where its number is not known; a parcel's lines have no total
UNUSED = {"customer_id", "order_id", "unsubscribe_url"}
SPARE = {("order-shipped", "total"), ("order-delivered", "total"), ("order-returned", "total")}
LANGUAGES = ("de", "en", "fr")
EVERY = sorted(shipped())
MAILS = [(name, language) for name, channel, language in EVERY if channel == "email"]
FIELDS = [
    (name, language, field)
    for name, language in MAILS
    for field in DATA[name]
    if field not in UNUSED and (name, field) not in SPARE
]
CATALOGUE = Catalogue()
KINDS: tuple[str, ...] = get_args(AlertKind)


def filled(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": "Ann", **copy.deepcopy(DATA[name]), **changes}


def render(
    name: str, locale: str | None, timezone: str | None, data: dict[str, Any], channel: str = "email"
) -> Rendered:
    return CATALOGUE.render(name, channel, locale, timezone, data)


def test_every_template_is_there_in_english_german_and_french() -> None:
    assert {name for name, _, _ in EVERY} == set(DATA)
    ways = {(name, channel) for name, channel, _ in EVERY}
    assert {(name, channel, language) for name, channel in ways for language in LANGUAGES} == set(EVERY)


@pytest.mark.parametrize(("name", "channel", "language"), EVERY)
def test_every_template_renders(name: str, channel: str, language: str) -> None:
    sent = render(name, language, "Europe/Berlin", filled(name), channel)
    whole = sent.subject + sent.html + sent.text
    assert sent.text
    assert bool(sent.subject) == (channel != "sms")
    assert bool(sent.html) == (channel == "email")
    assert not re.search(r"\{\{|%\}|None|jinja\d|\*\*|\[lines\]", whole)


@pytest.mark.parametrize(("name", "language"), MAILS)
def test_every_mail_is_whole_with_its_styles_in_its_elements(name: str, language: str) -> None:
    mail = render(name, language, "Europe/Berlin", filled(name))
    assert f'lang="{language}"' in mail.html
    assert f"<title>{html.escape(mail.subject, quote=False)}</title>" in mail.html.replace("\xa0", " ")
    assert 'class="card" style="max-width: 560px;' in mail.html
    assert "@media (prefers-color-scheme: dark)" in mail.html
    assert mail.html.count("<tbody>") == mail.html.count("</tbody>") == ("lines" in DATA[name])
    words = re.sub(r"<[^>]+>", " ", mail.html.split("</h1>")[1])
    for word in re.findall(r"\w{4,}", html.unescape(words)):
        assert word in mail.text, f"the plain text lacks {word}"


@pytest.mark.parametrize(("name", "channel", "language"), [key for key in EVERY if key[1] == "sms"])
def test_text_messages_are_short(name: str, channel: str, language: str) -> None:
    assert segments(render(name, language, None, filled(name), channel).text).count <= 3


@pytest.mark.parametrize(("name", "language", "field"), FIELDS)
def test_a_missing_variable_is_an_error(name: str, language: str, field: str) -> None:
    data = filled(name)
    del data[field]
    with pytest.raises(RenderingError, match=f"{name}/email/{language}.*{field}"):
        render(name, language, None, data)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_alarm_says_what_happened_and_an_unknown_kind_is_an_error_rather_than_another_alarm(language: str) -> None:
    mails = [render("account-notice", language, None, filled("account-notice", kind=kind)) for kind in KINDS]
    assert len({mail.subject for mail in mails}) == len({mail.text for mail in mails}) == len(KINDS)
    with pytest.raises(RenderingError):
        render("account-notice", language, None, filled("account-notice", kind="other"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_purpose_of_a_code_is_told(language: str) -> None:
    purposes = get_args(EmailVerificationRequested.model_fields["purpose"].annotation)
    mails = [render("verify-email", language, None, filled("verify-email", purpose=purpose)) for purpose in purposes]
    assert len({mail.subject for mail in mails}) == len({mail.text for mail in mails}) == len(purposes) == 3
    assert all("t0k3n" in mail.html and "t0k3n" in mail.text for mail in mails)


def test_who_paid_before_is_not_told_that_nothing_was_charged() -> None:
    data = filled("payment-declined", captured={"amount": 500, "currency": "EUR"})
    told = render("payment-declined", "en", None, data).text
    assert "€5.00 paid before" in told
    assert "Nothing was charged" not in told


def test_figures_and_dates_follow_the_readers_locale_and_zone() -> None:
    data = filled("order-confirmation")
    english = render("order-confirmation", "en-US", "America/New_York", data)
    german = render("order-confirmation", "de-DE", "Europe/Berlin", data)
    for part in (english.html, english.text):
        assert "€59.97" in part
        assert "March 31, 2026" in part
    for part in (german.html, german.text):
        assert "59,97\xa0€" in part
        assert "1. April 2026" in part


@pytest.mark.parametrize(("currency", "shown"), [("EUR", "€1,234.00"), ("JPY", "¥123,400"), ("KWD", "KWD\xa0123.400")])
def test_the_currency_decides_how_many_digits_follow_the_point(currency: str, shown: str) -> None:
    total = {"amount": 123_400, "currency": currency}
    assert shown in render("order-cancelled", "en-US", None, filled("order-cancelled", total=total)).html


@pytest.mark.parametrize("locale", [None, "", "pl-PL", "xx", "../../etc/passwd", "en_GB"])
def test_an_unknown_language_gets_english(locale: str | None) -> None:
    assert 'lang="en"' in render("verify-email", locale, None, filled("verify-email")).html


def test_words_and_figures_are_of_one_language() -> None:
    assert "€59.97" in render("order-cancelled", "pl-PL", None, filled("order-cancelled")).html


@pytest.mark.parametrize("name", ["payment-declined", "refund"])
@pytest.mark.parametrize(("number", "shown"), [("A-1001", "Order A-1001"), (None, "Order 0197-1")])
def test_an_order_goes_by_its_number_where_that_is_known(name: str, number: str | None, shown: str) -> None:
    assert shown in render(name, "en", None, filled(name, order_number=number)).html


def test_an_unknown_zone_is_read_as_utc() -> None:
    assert "11:30:00\u202fPM UTC" in render("verify-email", "en", "Mars/Olympus", filled("verify-email")).html


def test_markup_in_data_is_shown_and_never_obeyed() -> None:
    mail = render("order-cancelled", "en", None, filled("order-cancelled", reason="<script>alert(1)</script>{{ 7*7 }}"))
    assert "<script>" not in mail.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in mail.html
    assert "<script>alert(1)</script>{{ 7*7 }}" in mail.text


def test_a_subject_is_plain_text_on_one_line() -> None:
    mail = render("order-cancelled", "en", None, filled("order-cancelled", number="A&B\r\nBcc: eve@example.org\x00"))
    assert mail.subject == "Order A&B Bcc: eve@example.org is cancelled"


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(UnknownTemplateError, match="no template 'birthday' for email; there are: account-notice"):
        render("birthday", "en", None, {})


@pytest.mark.parametrize("name", ["../order-confirmation", "order-confirmation/en"])
def test_a_template_name_is_no_path(name: str) -> None:
    with pytest.raises(UnknownTemplateError):
        render(name, "en", None, filled("order-confirmation"))


def own(*locales: str) -> Catalogue:
    catalogue = Catalogue()
    catalogue.use(
        {("greeting", "sms", locale): Version(3, Source(text=f"{locale} {{{{ name }}}}")) for locale in locales}
    )
    return catalogue


@pytest.mark.parametrize(
    ("asked", "served"), [("de-AT", "de-AT"), ("de-CH", "de"), ("de", "de"), ("fr-FR", "en"), (None, "en")]
)
def test_the_closest_locale_serves(asked: str | None, served: str) -> None:
    assert own("de-AT", "de", "en").render("greeting", "sms", asked, None, {"name": "Ann"}).text == f"{served} Ann"


def test_what_staff_wrote_goes_before_what_came_with_the_code_until_it_is_withdrawn() -> None:
    catalogue = Catalogue()
    data = filled("order-expired")
    catalogue.use({("order-expired", "sms", "en"): Version(1, Source(text="mine {{ number }}"))})
    assert catalogue.render("order-expired", "sms", "en", None, data).text == "mine A-1001"
    assert catalogue.render("order-expired", "sms", "de", None, data).text.startswith("Sidecart: Ihre Bestellung")
    catalogue.use({})
    assert catalogue.render("order-expired", "sms", "en", None, data).text.startswith("Sidecart: your order")


@pytest.mark.parametrize(
    "text", ["{{ ''.__class__.__mro__ }}", "{{ name.__init__.__globals__ }}", "{% include 'layout.html' %}"]
)
def test_a_template_reaches_nothing_but_its_data(text: str) -> None:
    catalogue = Catalogue()
    catalogue.use({("mine", "sms", "en"): Version(1, Source(text=text))})
    with pytest.raises(RenderingError):
        catalogue.render("mine", "sms", "en", None, {"name": "Ann"})
