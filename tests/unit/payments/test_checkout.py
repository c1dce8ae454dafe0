import hmac
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import orjson
import pytest

from apps.payments import checkout_amounts as amounts
from apps.payments import checkout_answers as answers
from apps.payments.checkout_declines import NORMALISED, normalise
from apps.payments.checkout_provider import CheckoutProvider
from apps.payments.declines import ADVICE, RETRYABLE
from apps.payments.domain import RefundState
from apps.payments.provider import (
    Accepted,
    ActionRequired,
    Authorised,
    Captured,
    Charge,
    Declined,
    Lost,
    NoticeNotValidError,
    Refused,
    Released,
    Return,
)

SECRET = "a signature key of forty characters or so"
PAYMENT = uuid4()
SHOWN: dict[str, Any] = {
    "id": "pay_1",
    "status": "Captured",
    "amount": 700,
    "currency": "JPY",
    "balances": {"total_captured": 700, "total_refunded": 0},
    "source": {"scheme": "Visa", "last4": "4242"},
    "metadata": {"payment_id": str(PAYMENT)},
}


@pytest.fixture
def provider() -> CheckoutProvider:
    nowhere: Any = None
    return CheckoutProvider(nowhere, "sk_sbox_1", ["the next key of all", SECRET], "http://shop.test/")


def event(**thing: Any) -> bytes:
    return orjson.dumps({"id": "evt_1", "type": "payment_captured", "data": thing})


def signed(body: bytes, secret: str = SECRET) -> Mapping[str, str]:
    return {"cko-signature": hmac.digest(secret.encode(), body, "sha256").hex()}


@pytest.mark.parametrize(
    ("status", "manual", "kind"),
    [
        ("Captured", False, Captured),
        ("Partially Captured", True, Captured),
        ("Refunded", False, Captured),
        ("Authorized", True, Authorised),
        ("Authorized", False, Accepted),
        ("Pending", False, Accepted),
        ("Declined", False, Declined),
        ("Voided", True, Released),
        ("Expired", False, Released),
        ("Canceled", False, Released),
        ("never seen", False, Lost),
    ],
)
def test_what_is_not_captured_is_never_read_as_captured(status: str, manual: bool, kind: type) -> None:
    assert isinstance(answers.charge({**SHOWN, "status": status}, manual=manual), kind)


def test_what_was_captured_counts_and_not_what_was_asked() -> None:
    outcome = answers.charge({**SHOWN, "balances": {"total_captured": 699}}, manual=False)
    assert isinstance(outcome, Captured)
    assert (outcome.amount, outcome.currency) == (699, "JPY")


def test_a_capture_that_the_bank_declines_declines_the_attempt_and_is_not_waited_for() -> None:
    tried = [{"type": "Authorization", "response_code": "10000"}, {"type": "Capture", "response_code": "20051"}]
    for manual in (True, False):
        outcome = answers.charge({**SHOWN, "status": "Authorized", "actions": tried}, manual=manual)
        assert isinstance(outcome, Declined)
        assert outcome.code == "insufficient_funds"


def test_whoever_must_confirm_is_sent_where_the_processor_says() -> None:
    links = {"redirect": {"href": "https://bank.test/1"}}
    outcome = answers.charge({**SHOWN, "status": "Pending", "_links": links}, manual=False)
    assert isinstance(outcome, ActionRequired)
    assert outcome.url == "https://bank.test/1"


@pytest.mark.parametrize("code", sorted(NORMALISED))
def test_every_response_code_has_an_advice(code: str) -> None:
    assert ADVICE[normalise(code)].endswith(".")


def test_a_thief_is_told_nothing_and_the_banks_no_is_not_tried_elsewhere() -> None:
    assert {normalise(code) for code in ("20059", "30041", "30043", "40101", "99999", None)} == {"declined"}
    assert not {normalise(code) for code in ("20005", "20051", "20054", "30004")} & RETRYABLE
    assert normalise("20091") in RETRYABLE


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [
        ("EUR", 1999, 1999), ("JPY", 100, 100), ("KWD", 1310, 1310), ("KWD", 1312, None), ("CLP", 1000, 100_000),
        ("EUR", 999_999_999, 999_999_999), ("EUR", 1_000_000_000, None), ("EUR", 0, None),
    ],
)  # fmt: skip
def test_amounts_are_counted_as_they_count_them(currency: str, ours: int, theirs: int | None) -> None:
    assert amounts.theirs(ours, currency) == theirs
    assert theirs is None or amounts.ours(theirs, currency) == ours


async def test_what_they_do_not_take_is_not_even_asked_for(provider: CheckoutProvider) -> None:
    token = "tok_" + "a" * 26
    for currency, amount, method, code in [
        ("KWD", 1312, token, "amount_not_accepted"),
        ("EUR", 100, "pm_card_visa", "method_not_valid"),
    ]:
        outcome = await provider.charge(Charge(PAYMENT, uuid4(), "r", amount, currency, method))
        assert outcome == Declined(code, None, None, b"")
    assert await provider.refund(Return(PAYMENT, uuid4(), "r", 1312, "KWD", "pay_1")) == Refused(b"")


@pytest.mark.parametrize(
    ("approved", "state"),
    [(True, RefundState.SUCCEEDED), (False, RefundState.FAILED), (None, RefundState.PENDING)],
)
def test_every_state_of_a_refund_is_understood(approved: bool | None, state: RefundState) -> None:
    action = {"id": "act_1", "type": "Refund", "reference": "r", "amount": 5, "approved": approved}
    assert answers.refund_among([{**action, "reference": "other"}, action], "r") == action
    assert answers.refund(action, "EUR").state is state


def test_while_a_key_is_replaced_both_are_taken_and_no_third(provider: CheckoutProvider) -> None:
    body = event(id="pay_1", metadata={"payment_id": str(PAYMENT)})
    for secret in ("the next key of all", SECRET):
        notice = provider.notice(body, signed(body, secret))
        assert (notice.payment_id, notice.provider_id) == (PAYMENT, "pay_1")
    attempts = [
        (body, signed(body, "another key")),
        (body + b" ", signed(body)),
        (body, {}),
        (body, {"cko-signature": ""}),
        (body, {"cko-signature": "é" * 64}),
        (b"[]", signed(b"[]")),
        (b"{", signed(b"{")),
    ]
    for content, headers in attempts:
        with pytest.raises(NoticeNotValidError):
            provider.notice(content, headers)


def test_an_event_of_another_kind_is_taken_and_leads_nowhere(provider: CheckoutProvider) -> None:
    body = event(id="dsp_1", metadata=None)
    notice = provider.notice(body, signed(body))
    assert (notice.payment_id, notice.provider_id) == (None, None)


def test_two_processors_may_use_one_id_for_two_events(provider: CheckoutProvider) -> None:
    body = event(id="pay_1")
    assert provider.notice(body, signed(body)).event_id == "checkout-com:evt_1"
