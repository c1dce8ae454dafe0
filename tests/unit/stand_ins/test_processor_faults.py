from typing import Any
from uuid import uuid4

import pytest
import stripe

from tests.support.stand_ins import StandIn

pytestmark = pytest.mark.enable_socket


def ask(order: str) -> Any:
    asked = {"amount": 1999, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
    return asked | {"metadata": {"order_id": order}}


def recorded(shop: stripe.StripeClient, processor: StandIn, order: str) -> list[stripe.PaymentIntent]:
    processor.call("DELETE", "/faults")
    return shop.v1.payment_intents.search({"query": f"metadata['order_id']:'{order}'"}).data


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, stripe.APIError), (500, stripe.APIError), (429, stripe.RateLimitError), (401, stripe.AuthenticationError)],
)
def test_a_status_comes_in_stripes_shape_and_charges_nothing(
    shop: stripe.StripeClient, processor: StandIn, status: int, error: type[stripe.StripeError]
) -> None:
    order = str(uuid4())
    processor.faults(status=status, retry_after_s=7)
    with pytest.raises(error) as refused:
        shop.v1.payment_intents.create(ask(order))
    assert refused.value.http_status == status
    assert refused.value.headers is not None
    assert refused.value.headers["Retry-After"] == "7"
    assert recorded(shop, processor, order) == []


def test_hang_never_answers_and_charges_nothing(processor: StandIn, shop: stripe.StripeClient) -> None:
    order = str(uuid4())
    processor.faults(hang=True)
    impatient = stripe.RequestsClient(timeout=0.3)
    client = stripe.StripeClient("sk_test_tests", base_addresses={"api": processor.url}, http_client=impatient)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(ask(order), {"max_network_retries": 0})
    assert recorded(shop, processor, order) == []


def test_a_dropped_answer_leaves_exactly_one_charge(shop: stripe.StripeClient, processor: StandIn) -> None:
    order = str(uuid4())
    processor.faults(drop_answer=True)
    with pytest.raises(stripe.APIConnectionError):
        shop.v1.payment_intents.create(ask(order))
    assert [one.status for one in recorded(shop, processor, order)] == ["succeeded"]


def test_a_tampered_amount_is_recorded_one_off(shop: stripe.StripeClient, processor: StandIn) -> None:
    order = str(uuid4())
    processor.faults(tamper_amount=True)
    shop.v1.payment_intents.create(ask(order))
    (made,) = recorded(shop, processor, order)
    assert abs(made.amount - 1999) == 1
    assert made.amount_received == made.amount
