from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import stripe

from tests.support.stand_ins import StandIn, running

pytestmark = pytest.mark.enable_socket

VISA: Any = {"amount": 1999, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}


def headers(thing: stripe.StripeObject) -> Any:
    response = thing.last_response
    assert response is not None
    return response.headers


def test_the_same_key_gives_the_same_answer_and_charges_once(shop: stripe.StripeClient) -> None:
    order, key = str(uuid4()), str(uuid4())
    asked = VISA | {"metadata": {"order_id": order}}
    first = shop.v1.payment_intents.create(asked, {"idempotency_key": key})
    second = shop.v1.payment_intents.create(asked, {"idempotency_key": key})
    assert first == second
    assert "Idempotent-Replayed" not in headers(first)
    assert headers(second)["Idempotent-Replayed"] == "true"
    assert len(shop.v1.payment_intents.search({"query": f"metadata['order_id']:'{order}'"}).data) == 1


def test_the_same_key_with_other_parameters_is_refused(shop: stripe.StripeClient) -> None:
    key = str(uuid4())
    shop.v1.payment_intents.create(VISA, {"idempotency_key": key})
    with pytest.raises(stripe.IdempotencyError):
        shop.v1.payment_intents.create(VISA | {"amount": 5}, {"idempotency_key": key})


def test_a_decline_is_replayed_as_well(shop: stripe.StripeClient) -> None:
    keys = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            asked = VISA | {"payment_method": "pm_card_chargeDeclined"}
            shop.v1.payment_intents.create(asked, {"idempotency_key": f"declined-{id(shop)}"})
        assert declined.value.error is not None
        assert declined.value.error.payment_intent is not None
        keys.append(declined.value.error.payment_intent.id)
    assert keys[0] == keys[1]


def test_a_request_that_did_not_validate_leaves_its_key_free(shop: stripe.StripeClient) -> None:
    key = str(uuid4())
    with pytest.raises(stripe.InvalidRequestError):
        shop.v1.payment_intents.create(VISA | {"amount": 0}, {"idempotency_key": key})
    assert shop.v1.payment_intents.create(VISA, {"idempotency_key": key}).status == "succeeded"


def test_a_lost_answer_is_found_again_by_its_key(shop: stripe.StripeClient, processor: StandIn) -> None:
    order, key = str(uuid4()), str(uuid4())
    asked = VISA | {"metadata": {"order_id": order}}
    processor.faults(drop_answer=True)
    with pytest.raises(stripe.APIConnectionError):
        shop.v1.payment_intents.create(asked, {"idempotency_key": key})
    processor.call("DELETE", "/faults")
    (effect,) = shop.v1.payment_intents.search({"query": f"metadata['order_id']:'{order}'"}).data
    assert shop.v1.payment_intents.create(asked, {"idempotency_key": key}).id == effect.id


def test_a_refund_is_made_once_per_key(shop: stripe.StripeClient) -> None:
    payment, key = shop.v1.payment_intents.create(VISA).id, str(uuid4())
    for _ in range(3):
        shop.v1.refunds.create({"payment_intent": payment, "amount": 100}, {"idempotency_key": key})
    assert len(shop.v1.refunds.list({"payment_intent": payment}).data) == 1


def test_a_kill_forgets_neither_payments_nor_keys(tmp_path: Path) -> None:
    with running("card_processor", tmp_path) as processor:
        shop = stripe.StripeClient("sk_test_any", base_addresses={"api": processor.url})
        made = [shop.v1.payment_intents.create(VISA, {"idempotency_key": f"k{n}"}).id for n in range(10)]
        processor.kill()
        processor.start()
        assert [one.id for one in shop.v1.payment_intents.list().data] == made[::-1]
        assert shop.v1.payment_intents.create(VISA, {"idempotency_key": "k3"}).id == made[3]
