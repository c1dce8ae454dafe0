from typing import Any

import pytest
from pydantic import ValidationError

from apps.notifications.schemas import SendNotification

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
        {"recipient": {"phone": "+431234567"}},
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
