from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.programs import until
from tests.support.stand_ins import StandIn

pytestmark = pytest.mark.enable_socket


def paid(shop: stripe.StripeClient, amount: int = 1000, method: str = "pm_card_visa") -> str:
    asked: Any = {"amount": amount, "currency": "eur", "payment_method": method, "confirm": True}
    return shop.v1.payment_intents.create(asked).id


def refunded(shop: stripe.StripeClient, payment: str) -> int:
    charges = shop.v1.charges.list({"payment_intent": payment}).data
    return sum(charge.amount_refunded for charge in charges)


def test_without_an_amount_all_that_is_left_is_refunded(shop: stripe.StripeClient) -> None:
    payment = paid(shop)
    assert shop.v1.refunds.create({"payment_intent": payment, "amount": 300}).amount == 300
    rest = shop.v1.refunds.create({"payment_intent": payment, "reason": "requested_by_customer"})
    assert (rest.amount, rest.status, rest.payment_intent) == (700, "succeeded", payment)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.refunds.create({"payment_intent": payment, "amount": 1})
    assert refused.value.code == "charge_already_refunded"
    assert [one.amount for one in shop.v1.refunds.list({"payment_intent": payment}).data] == [700, 300]
    assert shop.v1.refunds.retrieve(rest.id).amount == 700


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(1, 120), max_size=6))
def test_never_more_than_captured_is_refunded(shop: stripe.StripeClient, amounts: list[int]) -> None:
    payment, given_back = paid(shop, 100), 0
    for amount in amounts:
        try:
            given_back += shop.v1.refunds.create({"payment_intent": payment, "amount": amount}).amount
        except stripe.InvalidRequestError:
            assert given_back + amount > 100
    assert given_back <= 100
    assert refunded(shop, payment) == given_back


def test_only_what_was_captured_can_be_refunded(shop: stripe.StripeClient) -> None:
    asked: Any = {"amount": 1000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
    held = shop.v1.payment_intents.create(asked | {"capture_method": "manual"})
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.refunds.create({"payment_intent": held.id})
    shop.v1.payment_intents.capture(held.id, {"amount_to_capture": 400})
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.refunds.create({"payment_intent": held.id, "amount": 401})
    assert shop.v1.refunds.create({"payment_intent": held.id}).amount == 400


def test_a_refund_names_its_payment_and_a_possible_reason(shop: stripe.StripeClient) -> None:
    payment = paid(shop)
    for wrong in ({}, {"payment_intent": "pi_none"}, {"payment_intent": payment, "reason": "regret"}):
        with pytest.raises(stripe.InvalidRequestError):
            shop.v1.refunds.create(wrong)  # type: ignore[arg-type]
    assert refunded(shop, payment) == 0


def test_some_refunds_fail_later(shop: stripe.StripeClient) -> None:
    payment = paid(shop, method="pm_card_refundFail")
    made = shop.v1.refunds.create({"payment_intent": payment, "amount": 400})
    assert made.status == "succeeded"
    until(lambda: shop.v1.refunds.retrieve(made.id).status == "failed", "the bank returns the refund")
    assert refunded(shop, payment) == 0
    (event,) = [one for one in shop.v1.events.list({"type": "refund.failed"}).data if one.data.object["id"] == made.id]
    assert event.data.object["failure_reason"] == "expired_or_canceled_card"


def test_a_tampered_refund_differs_by_one_and_stays_within_the_capture(
    shop: stripe.StripeClient, processor: StandIn
) -> None:
    payment = paid(shop)
    processor.faults(tamper_amount=True)
    assert shop.v1.refunds.create({"payment_intent": payment}).amount == 999
    assert shop.v1.refunds.create({"payment_intent": payment}).amount == 0
    assert refunded(shop, payment) == 999
