import base64
import hashlib
import hmac

import pytest

from apps.notifications.receipts import BadSignatureError, Receipt, ReceiptsClosedError, verify

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a secret key").decode()
BODY = b'{"events": []}'
AT = 1_790_000_000


def signature(body: bytes = BODY, at: int = AT, secret: str = SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, f"msg_1.{at}.".encode() + body, hashlib.sha256)).decode()


def headers(signed: str, at: int | str = AT) -> dict[str, str]:
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signed}


def test_what_is_signed_within_five_minutes_is_taken_by_any_of_its_signatures() -> None:
    verify(SECRET, headers(signature()), BODY, AT + 299)
    verify(SECRET, headers(f"v1,bm9uZQ== {signature()}"), BODY, AT)


@pytest.mark.parametrize(
    ("told", "body", "now"),
    [
        (headers(signature()), b'{"events": [1]}', AT),
        (headers(signature()), BODY, AT + 301),
        (headers(signature()), BODY, AT - 301),
        (headers(signature(), "later"), BODY, AT),
        (headers(signature(), "²"), BODY, AT),
        (headers(""), BODY, AT),
        (headers(signature(secret="whsec_" + base64.b64encode(b"another key").decode())), BODY, AT),
        ({}, BODY, AT),
    ],
)
def test_what_is_not_is_refused(told: dict[str, str], body: bytes, now: float) -> None:
    with pytest.raises(BadSignatureError):
        verify(SECRET, told, body, now)


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(ReceiptsClosedError):
        verify(None, headers(signature()), BODY, AT)


@pytest.mark.parametrize(
    "told", ["01a2036f-27f2-7767-bdbf-419a840c9fb7", "<01a2036f-27f2-7767-bdbf-419a840c9fb7@shop>"]
)
def test_a_message_goes_by_its_id_or_by_the_message_id_it_was_sent_under(told: str) -> None:
    receipt = Receipt.model_validate({"message_id": told, "status": "delivered"})
    assert str(receipt.message_id) == "01a2036f-27f2-7767-bdbf-419a840c9fb7"
