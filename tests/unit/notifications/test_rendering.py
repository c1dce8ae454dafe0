import copy
import html
from typing import Any, get_args

import pytest

from apps.contracts.users import SecurityAlert
from apps.notifications.rendering import RenderingError, UnknownTemplateError, languages, render

EUR_19_99 = {"amount": 1999, "currency": "EUR"}
ORDER = {"order_id": "0197-1", "customer_id": "c", "number": "A-1001", "total": {"amount": 5997, "currency": "EUR"}}
DATA: dict[str, dict[str, Any]] = {
    "order-confirmation": {
        **ORDER,
        "lines": [
            {"sku": "mug", "name": "Mug & saucer", "quantity": 2, "unit_price": EUR_19_99},
            {"sku": "tea", "name": "Tea", "quantity": 1, "unit_price": EUR_19_99},
        ],
        "paid_at": "2026-03-31T23:30:00Z",
    },
    "order-cancelled": {**ORDER, "reason": "changed my mind", "cancelled_at": "2026-03-31T23:30:00Z"},
    "payment-declined": {
        "order_id": "0197-1",
        "order_number": "A-1001",
        "decline_code": "insufficient_funds",
        "declined_at": "2026-03-31T23:30:00Z",
    },
    "refund": {
        "order_id": "0197-1",
        "order_number": "A-1001",
        "amount": EUR_19_99,
        "refunded": {"amount": 3998, "currency": "EUR"},
        "refunded_at": "2026-03-31T23:30:00Z",
    },
    "verify-email": {"email": "ann@example.org", "token": "t0k3n", "expires_at": "2026-03-31T23:30:00Z"},
    "account-notice": {"kind": "refresh_token_reused", "happened_at": "2026-03-31T23:30:00Z"},
}
# payments' facts bring the order's id for where its number is not known
UNUSED = {"customer_id", "order_id"}
EVERY = [(name, language) for name in sorted(languages()) for language in sorted(languages()[name])]
FIELDS = [(name, language, field) for name, language in EVERY for field in DATA[name] if field not in UNUSED]


def filled(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": "Ann", **copy.deepcopy(DATA[name]), **changes}


def test_every_template_is_there_in_english_and_german() -> None:
    assert set(languages()) == set(DATA)
    assert all({"en", "de"} <= known for known in languages().values())


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_every_template_renders(name: str, language: str) -> None:
    mail = render(name, language, "Europe/Berlin", filled(name))
    assert mail.subject
    assert f'lang="{language}"' in mail.html
    assert html.escape(mail.subject) in mail.html.replace("\xa0", " ")
    assert "{{" not in mail.html
    assert "None" not in mail.html


@pytest.mark.parametrize(("name", "language", "field"), FIELDS)
def test_a_missing_variable_is_an_error(name: str, language: str, field: str) -> None:
    data = filled(name)
    del data[field]
    with pytest.raises(RenderingError, match=f"{name}/{language}.*{field}"):
        render(name, language, None, data)


def test_figures_and_dates_follow_the_readers_locale_and_zone() -> None:
    data = filled("order-confirmation")
    english = render("order-confirmation", "en-US", "America/New_York", data).html
    german = render("order-confirmation", "de-DE", "Europe/Berlin", data).html
    assert "€59.97" in english
    assert "March 31, 2026" in english
    assert "59,97\xa0€" in german
    assert "1. April 2026" in german


@pytest.mark.parametrize(("currency", "shown"), [("EUR", "€1,234.00"), ("JPY", "¥123,400"), ("KWD", "KWD\xa0123.400")])
def test_the_currency_decides_how_many_digits_follow_the_point(currency: str, shown: str) -> None:
    total = {"amount": 123_400, "currency": currency}
    assert shown in render("order-cancelled", "en-US", None, filled("order-cancelled", total=total)).html


@pytest.mark.parametrize("locale", [None, "", "fr-FR", "xx", "../../etc/passwd", "en_GB"])
def test_an_unknown_language_gets_english(locale: str | None) -> None:
    assert 'lang="en"' in render("verify-email", locale, None, filled("verify-email")).html


def test_words_and_figures_are_of_one_language() -> None:
    assert "€59.97" in render("order-cancelled", "fr-FR", None, filled("order-cancelled")).html


@pytest.mark.parametrize("name", ["payment-declined", "refund"])
@pytest.mark.parametrize(("number", "shown"), [("A-1001", "Order A-1001"), (None, "Order 0197-1")])
def test_an_order_goes_by_its_number_where_that_is_known(name: str, number: str | None, shown: str) -> None:
    assert shown in render(name, "en", None, filled(name, order_number=number)).html


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_alarm_of_an_unknown_kind_is_an_error_rather_than_another_alarm(language: str) -> None:
    subjects = {
        render("account-notice", language, None, filled("account-notice", kind=kind)).subject
        for kind in get_args(SecurityAlert.model_fields["kind"].annotation)
    }
    assert len(subjects) == 2
    with pytest.raises(RenderingError):
        render("account-notice", language, None, filled("account-notice", kind="other"))


def test_an_unknown_zone_is_read_as_utc() -> None:
    assert "11:30:00\u202fPM UTC" in render("verify-email", "en", "Mars/Olympus", filled("verify-email")).html


def test_markup_in_data_is_shown_and_never_obeyed() -> None:
    mail = render("order-cancelled", "en", None, filled("order-cancelled", reason="<script>alert(1)</script>{{ 7*7 }}"))
    assert "<script>" not in mail.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in mail.html


def test_a_subject_is_plain_text_on_one_line() -> None:
    mail = render("order-cancelled", "en", None, filled("order-cancelled", number="A&B\r\nBcc: eve@example.org\x00"))
    assert mail.subject == "Order A&B Bcc: eve@example.org is cancelled"


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(UnknownTemplateError, match="no template 'birthday'; there are: account-notice"):
        render("birthday", "en", None, {})


def test_a_template_name_is_no_path() -> None:
    with pytest.raises(UnknownTemplateError):
        render("../order-confirmation", "en", None, filled("order-confirmation"))
