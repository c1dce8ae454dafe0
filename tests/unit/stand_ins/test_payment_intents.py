from typing import Any

import pytest
import stripe

from tests.support.stand_ins import StandIn

pytestmark = pytest.mark.enable_socket


def charge(shop: stripe.StripeClient, method: str = "pm_card_visa", **more: Any) -> stripe.PaymentIntent:
    asked: Any = {"amount": 1999, "currency": "eur", "payment_method": method, "confirm": True} | more
    return shop.v1.payment_intents.create(asked)


def test_a_card_is_charged_and_shown(shop: stripe.StripeClient) -> None:
    paid = charge(shop, metadata={"order_id": "o-1"}, expand=["latest_charge"])
    assert (paid.status, paid.amount_received, paid.currency) == ("succeeded", 1999, "eur")
    assert paid.metadata["order_id"] == "o-1"
    assert isinstance(paid.latest_charge, stripe.Charge)
    assert paid.latest_charge.payment_method_details is not None
    card = paid.latest_charge.payment_method_details.card
    assert card is not None
    assert (card.brand, card.last4) == ("visa", "4242")
    assert shop.v1.payment_intents.retrieve(paid.id).status == "succeeded"
    assert isinstance(shop.v1.payment_intents.retrieve(paid.id).latest_charge, str)


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ],
)
def test_a_decline_is_a_402_and_stays_on_record(
    shop: stripe.StripeClient, method: str, code: str, decline_code: str | None
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        charge(shop, method)
    assert declined.value.http_status == 402
    assert declined.value.code == code
    error = declined.value.error
    assert error is not None
    assert error.decline_code == decline_code
    assert error.payment_intent is not None
    kept = shop.v1.payment_intents.retrieve(error.payment_intent.id)
    assert (kept.status, kept.amount_received) == ("requires_payment_method", 0)
    assert kept.last_payment_error is not None
    assert kept.last_payment_error.code == code


def test_a_declined_intent_can_be_paid_with_another_card(shop: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        charge(shop, "pm_card_chargeDeclined")
    assert declined.value.error is not None
    assert declined.value.error.payment_intent is not None
    key = declined.value.error.payment_intent.id
    paid = shop.v1.payment_intents.confirm(key, {"payment_method": "pm_card_mastercard"})
    assert paid.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError) as twice:
        shop.v1.payment_intents.confirm(key)
    assert twice.value.code == "payment_intent_unexpected_state"


def test_a_reservation_is_captured_in_part_once(shop: stripe.StripeClient) -> None:
    held = charge(shop, capture_method="manual")
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 1999, 0)
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.capture(held.id, {"amount_to_capture": 2000})
    taken = shop.v1.payment_intents.capture(held.id, {"amount_to_capture": 500})
    assert (taken.status, taken.amount_capturable, taken.amount_received) == ("succeeded", 0, 500)
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.capture(held.id)


def test_a_reservation_is_voided_and_a_capture_is_not(shop: stripe.StripeClient) -> None:
    held = charge(shop, capture_method="manual")
    assert shop.v1.payment_intents.cancel(held.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.capture(held.id)
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.cancel(charge(shop).id)


@pytest.mark.parametrize(("outcome", "status"), [("agree", "succeeded"), ("refuse", "requires_payment_method")])
def test_the_customer_decides_on_the_page(
    shop: stripe.StripeClient, processor: StandIn, outcome: str, status: str
) -> None:
    asked = charge(shop, "pm_card_authenticationRequired", return_url="http://shop.example/back?a=1")
    assert asked.status == "requires_action"
    assert asked.next_action is not None
    assert asked.next_action.redirect_to_url is not None
    assert asked.next_action.redirect_to_url.url is not None
    path = asked.next_action.redirect_to_url.url.removeprefix(processor.url)
    assert b"Agree to pay" in processor.call("GET", path).body
    assert processor.call("POST", path.partition("?")[0], b"outcome=agree").status == 400
    back = processor.call("POST", path, f"outcome={outcome}".encode())
    assert back.status == 303
    assert back.headers["location"].startswith("http://shop.example/back?a=1&payment_intent=pi_")
    done = shop.v1.payment_intents.retrieve(asked.id)
    assert (done.status, done.next_action) == (status, None)
    assert processor.call("POST", path, b"outcome=agree").status == 400


def test_nobody_is_asked_off_session(shop: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        charge(shop, "pm_card_authenticationRequired", off_session=True)
    assert declined.value.code == "authentication_required"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"amount": 0}, "amount"), ({"amount": "1.5"}, "amount"), ({"amount": "9" * 30}, "amount"),
        ({"currency": "euro"}, "currency"), ({"payment_method": "pm_card_no_such"}, "payment_method"),
        ({"payment_method": "4242424242424242"}, "payment_method"), ({"confirm": "maybe"}, "confirm"),
        ({"capture_method": "later"}, "capture_method"), ({"amuont": 5}, "amuont"),
        ({"metadata": {"k": "v" * 501}}, "metadata"), ({"amount": {"gte": 1}}, "amount"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named_and_nothing_is_recorded(
    shop: stripe.StripeClient, wrong: dict[str, Any], param: str
) -> None:
    before = shop.v1.payment_intents.list({"limit": 1}).data
    with pytest.raises(stripe.InvalidRequestError) as refused:
        charge(shop, **wrong)
    assert refused.value.http_status == 400
    assert refused.value.param == param
    assert "4242424242424242" not in str(refused.value)
    assert shop.v1.payment_intents.list({"limit": 1}).data == before


def test_an_unknown_intent_is_a_404(shop: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.payment_intents.retrieve("pi_none")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_a_wrong_key_is_a_401(processor: StandIn) -> None:
    with pytest.raises(stripe.AuthenticationError):
        charge(stripe.StripeClient("sk_test_wrong", base_addresses={"api": processor.url}))
    assert processor.call("GET", "/v1/payment_intents").status == 401


def test_lists_are_paged_newest_first(shop: stripe.StripeClient) -> None:
    made = [charge(shop, metadata={"page": "1"}).id for _ in range(5)]
    first = shop.v1.payment_intents.list({"limit": 2, "created": {"gte": 1}})
    assert [one.id for one in first.data] == made[:2:-1]
    assert first.has_more
    second = shop.v1.payment_intents.list({"limit": 2, "starting_after": first.data[-1].id})
    assert [one.id for one in second.data] == made[2:0:-1]
    before = shop.v1.payment_intents.list({"limit": 2, "ending_before": made[2]})
    assert [one.id for one in before.data] == made[:2:-1]
    assert shop.v1.payment_intents.list({"created": {"gt": 4_000_000_000}}).data == []


def test_an_intent_is_found_by_our_own_reference(shop: stripe.StripeClient) -> None:
    made = charge(shop, metadata={"order_id": "o'clock-7", "attempt": "1"})
    other = charge(shop, metadata={"order_id": "wanted", "attempt": "2"})
    query = "metadata['order_id']:'wanted' AND status:'succeeded'"
    assert [one.id for one in shop.v1.payment_intents.search({"query": query}).data] == [other.id]
    quoted = 'metadata["order_id"]:"o\'clock-7"'
    assert [one.id for one in shop.v1.payment_intents.search({"query": quoted}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.search({"query": "created>5"})


def test_the_page_escapes_what_shops_send(shop: stripe.StripeClient, processor: StandIn) -> None:
    charge(shop, metadata={"<b>": "<script>1</script>"})
    page = processor.call("GET", "/").body
    assert b"&lt;b&gt;=&lt;script&gt;1&lt;/script&gt;" in page
    assert b"<script" not in page
