from typing import Any

import pytest
from pydantic import ValidationError

from apps.notifications.schemas import Preferences, SendNotification

ASKED: dict[str, Any] = {"recipient": {"email": "ann@example.org"}, "template": "refund", "category": "orders"}


def test_an_address_or_an_id_is_enough() -> None:
    assert SendNotification.model_validate(ASKED).recipient.email == "ann@example.org"
    by_id = {**ASKED, "recipient": {"user_id": "01a2036f-27f2-7767-bdbf-419a840c9fb7"}}
    assert SendNotification.model_validate(by_id).recipient.user_id


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": {}},
        {"recipient": {"email": "ann@example.org", "user_id": "01a2036f-27f2-7767-bdbf-419a840c9fb7"}},
        {"recipient": {"email": "ann@example.org;eve@example.org"}},
        {"recipient": {"email": "ann@example.org\x00"}},
        {"recipient": {"phone": "12"}},
        {"recipient": {"email": "ann@example.org"}, "channels": ["sms"]},
        {"recipient": {"phone": "+4930123456"}, "channels": ["push"]},
        {"channels": []},
        {"category": "gossip"},
        {"locale": "../en"},
        {"locale": "en\x00"},
        {"channels": ["pigeon"]},
        {"not_before": "2026-05-01T12:00:00"},
        {"data": {"deep": ["\x00"]}},
        {"data": {"half": "\ud800"}},
        {"data": {"big": 2**70}},
        {"surprise": 1},
    ],
)
def test_what_cannot_be_sent_or_kept_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SendNotification.model_validate({**ASKED, **changes})


def test_a_telephone_number_is_kept_in_one_form() -> None:
    asked = SendNotification.model_validate({**ASKED, "recipient": {"phone": "+49 (30) 1234-56"}})
    assert asked.recipient.phone == "+4930123456"


def test_who_says_nothing_gets_mail_about_everything() -> None:
    told = Preferences().model_dump(mode="json", by_alias=True)
    assert told["channels"] == {"email": True, "sms": False, "push": False}
    assert told["quiet_hours"] is None


@pytest.mark.parametrize(
    "wanted",
    [
        {"timezone": "Mars/Olympus"},
        {"timezone": "../etc/passwd"},
        {"quiet_hours": {"from": "22:00", "to": "22:00"}},
        {"quiet_hours": {"from": "22:00+02:00", "to": "07:00"}},
        {"quiet_hours": {"from": "25:00", "to": "07:00"}},
        {"quiet_hours": {"from": "22:00"}},
        {"channels": {"pigeon": True}},
        {"categories": {"gossip": {}}},
        {"device": "a b"},
        {"surprise": 1},
    ],
)
def test_preferences_that_make_no_sense_are_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Preferences.model_validate(wanted)
