from typing import Any

import pytest
from pydantic import ValidationError

from apps.users.schemas import ProfileChange, Registration

GOOD = {"email": "Ada@Example.org", "password": "long enough"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada@shop.test"), ("email", "ad\u00e4@b\u00fccher.example"), ("email", "a+tag@example.org"),
        ("password", "x" * 8), ("password", " " * 8), ("password", "\u00fc" * 128),
        ("name", "Ada \u0141ovelace"), ("phone", "+4915112345678"), ("locale", "zh-Hant-TW"), ("locale", "es-419"),
        ("timezone", "America/Argentina/Ushuaia"), ("timezone", "UTC"),
    ],
)  # fmt: skip
def test_what_people_have_is_taken(field: str, value: str) -> None:
    form = Registration.model_validate(GOOD | {field: value})
    taken = form.model_dump()[field]
    assert (taken.get_secret_value() if field == "password" else taken) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ada"), ("email", "Ada <ada@example.org>"), ("email", "a@b"), ("email", "a@localhost"),
        ("email", "a\x00@example.org"), ("email", "a@" + "x" * 250 + ".org"), ("email", 5),
        ("password", "x" * 7), ("password", "x" * 129), ("password", None),
        ("name", ""), ("name", "  "), ("name", "a\x00b"), ("name", "a\nBcc: b"), ("name", "x" * 201),
        ("phone", "0151"), ("phone", "+0151123456"), ("phone", "+49 151 12345678"), ("phone", "+4915112345678\n"),
        ("locale", "EN"), ("locale", "../en"), ("locale", None), ("locale", "en\n"),
        ("timezone", "Europe"), ("timezone", "Mars/Base"), ("timezone", "../../etc/passwd"), ("timezone", ""),
        ("timezone", "/etc/localtime"), ("timezone", "Europe/Ber\x00lin"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_the_field_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Registration.model_validate(GOOD | {field: value})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_a_password_shows_nowhere() -> None:
    assert GOOD["password"] not in repr(Registration.model_validate(GOOD))


@pytest.mark.parametrize(
    "change", [{"locale": None}, {"timezone": None}, {"email": "b@example.org"}, {"roles": ["admin"]}]
)
def test_a_profile_keeps_what_it_needs_and_what_is_not_its_owners_to_change(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProfileChange.model_validate(change)


def test_null_clears_a_name_and_absence_does_not() -> None:
    assert ProfileChange.model_validate({"name": None}).model_dump(exclude_unset=True) == {"name": None}
    assert ProfileChange.model_validate({}).model_dump(exclude_unset=True) == {}
