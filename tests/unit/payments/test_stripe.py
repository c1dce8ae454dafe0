import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import orjson
import pytest
from stripe import APIConnectionError, APIError, AuthenticationError, CardError, InvalidRequestError, RateLimitError
from stripe import WebhookSignature as Signature

from apps.payments import stripe_answers as answers
from apps.payments import stripe_provider
from apps.payments.domain import RefundState
from apps.payments.provider import (
    ActionRequired,
    Authorised,
    Busy,
    Captured,
    Card,
    Charge,
    Declined,
    Lost,
    Missing,
    NoticeNotValidError,
    Released,
)
from apps.payments.stripe_provider import StripeProvider

SECRET = "whsec_for_tests"
PAYMENT = uuid4()
INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "succeeded",
    "amount": 700,
    "amount_received": 700,
    "currency": "jpy",
    "metadata": {"payment_id": str(PAYMENT)},
    "latest_charge": {"payment_method_details": {"card": {"brand": "visa", "last4": "4242"}}},
}


class _Nowhere:
    url = "http://127.0.0.1:1"
    session = None


@pytest.fixture
def provider() -> StripeProvider:
    nowhere: Any = _Nowhere()
    return StripeProvider(nowhere, "sk_test_1", [SECRET], "http://shop.test/")


def signed(body: bytes, secret: str = SECRET, at: int | None = None) -> Mapping[str, str]:
    return {"stripe-signature": Signature.generate_signature_header(body.decode(), secret, at)}


def event(thing: Mapping[str, Any]) -> bytes:
    return orjson.dumps({"id": "evt_1", "object": "event", "type": "x.y", "data": {"object": thing}})


def test_what_was_received_counts_and_not_what_was_asked() -> None:
    outcome = answers.charge({**INTENT, "amount_received": 699})
    assert isinstance(outcome, Captured)
    assert (outcome.amount, outcome.currency, outcome.card) == (699, "JPY", Card("visa", "4242"))


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("requires_payment_method", Declined, "declined"),
        ("canceled", Released, None),
        ("requires_action", Declined, "authentication_required"),
        ("processing", Lost, None),
        ("never_seen", Lost, None),
    ],
)
def test_what_is_not_captured_is_never_read_as_captured(status: str, kind: type, code: str | None) -> None:
    outcome = answers.charge({**INTENT, "status": status})
    assert isinstance(outcome, kind)
    assert getattr(outcome, "code", None) == code


def test_a_card_error_names_the_issuers_reason_and_the_card() -> None:
    told = {
        "code": "card_declined",
        "decline_code": "do_not_honor",
        "payment_intent": INTENT,
        "payment_method": {"card": {"brand": "visa", "last4": "0002"}},
    }
    error = CardError("no", None, "card_declined", b"raw", 402, {"error": told})  # type: ignore[no-untyped-call]
    assert answers.declined(error) == Declined("contact_bank", "pi_1", Card("visa", "0002"), b"raw")


@pytest.mark.parametrize(
    ("param", "code"), [("payment_method", "method_not_valid"), ("amount", "amount_not_accepted"), (None, "declined")]
)
def test_a_request_that_is_not_taken_is_a_decline(param: str | None, code: str) -> None:
    assert answers.invalid_code(InvalidRequestError("no", param)) == code  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("succeeded", RefundState.SUCCEEDED),
        ("failed", RefundState.FAILED),
        ("canceled", RefundState.FAILED),
        ("pending", RefundState.PENDING),
        ("requires_action", RefundState.PENDING),
    ],
)
def test_every_state_of_a_refund_is_understood(status: str, state: RefundState) -> None:
    assert answers.refund({"id": "re_1", "amount": 5, "currency": "eur", "status": status}).state is state


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (APIConnectionError("x"), Lost("APIConnectionError")),  # type: ignore[no-untyped-call]
        (APIError("x", None, 500), Lost("APIError 500")),
        (APIError("x", b'{"message": "circuit breaker is open"}', 500), Busy("breaker open")),
        (APIError("x", None, 409), Lost("APIError 409")),
        (ConnectionError("x"), Lost("ConnectionError")),
        (RateLimitError("x", None, 429, None, {"Retry-After": "3"}), Busy("rate limited", timedelta(seconds=3))),
        (RateLimitError("x", None, 429, None, {"retry-after": "soon"}), Busy("rate limited", None)),
        (AuthenticationError("x", None, 401), Busy("key refused", timedelta(seconds=10))),
    ],
)
def test_only_who_asks_us_to_wait_is_called_busy(error: Exception, outcome: Lost | Busy) -> None:
    assert stripe_provider._trouble(error) == outcome


async def test_only_an_empty_search_says_that_a_charge_is_missing(
    provider: StripeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge = Charge(PAYMENT, uuid4(), "r-1", 700, "JPY", "pm_1")
    nowhere = InvalidRequestError("no such endpoint", None, http_status=404)  # type: ignore[no-untyped-call]
    monkeypatch.setattr(provider, "_get", AsyncMock(side_effect=[nowhere, {"data": []}]))
    assert isinstance(await provider.find(charge), Lost)
    assert await provider.find(charge) == Missing()


def test_a_signed_webhook_names_the_payment(provider: StripeProvider) -> None:
    body = event(INTENT)
    notice = provider.notice(body, signed(body))
    assert (notice.event_id, notice.payment_id, notice.provider_id) == ("evt_1", PAYMENT, "pi_1")
    body = event({"id": "re_1", "object": "refund", "payment_intent": "pi_2", "metadata": {"payment_id": "x"}})
    notice = provider.notice(body, signed(body))
    assert (notice.payment_id, notice.provider_id) == (None, "pi_2")


def test_any_of_several_signatures_may_match(provider: StripeProvider) -> None:
    body = event(INTENT)
    header = signed(body)["stripe-signature"]
    stamp, _, right = header.partition(",")
    provider.notice(body, {"stripe-signature": f"{stamp},v1={'0' * 64},{right}"})


def test_forged_old_and_broken_webhooks_are_refused(provider: StripeProvider) -> None:
    body = event(INTENT)
    old = int(time.time()) - 301
    attempts = [
        (body, signed(body, "whsec_other")),
        (body, signed(body, at=old)),
        (body + b" ", signed(body)),
        (body, {}),
        (body, {"stripe-signature": "nonsense"}),
        (b"[]", signed(b"[]")),
        (b"{", signed(b"{")),
    ]
    for content, headers in attempts:
        with pytest.raises(NoticeNotValidError):
            provider.notice(content, headers)


def test_while_a_webhook_secret_is_replaced_both_are_taken_and_no_third() -> None:
    nowhere: Any = _Nowhere()
    provider = StripeProvider(nowhere, "sk_test_1", ["whsec_next", SECRET], "http://shop.test/")
    body = event(INTENT)
    for secret in ("whsec_next", SECRET):
        assert provider.notice(body, signed(body, secret)).payment_id == PAYMENT
    for refused in (signed(body, "whsec_else"), signed(body, at=int(time.time()) - 301), {}):
        with pytest.raises(NoticeNotValidError):
            provider.notice(body, refused)


@pytest.mark.parametrize(
    ("status", "kind"),
    [("requires_capture", Authorised), ("canceled", Released), ("requires_action", ActionRequired)],
)
def test_what_is_held_called_off_or_waits_for_its_customer_is_told_apart(status: str, kind: type) -> None:
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": "http://bank.test/1"}}
    outcome = answers.charge({**INTENT, "status": status, "amount_capturable": 650, "next_action": action})
    assert isinstance(outcome, kind)
    assert getattr(outcome, "amount", 650) == 650
    assert getattr(outcome, "url", "http://bank.test/1") == "http://bank.test/1"
