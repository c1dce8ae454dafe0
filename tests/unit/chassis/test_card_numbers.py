import random
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from apps.chassis.card_numbers import MASK, holds_card_number, masked, screened
from apps.chassis.deliveries import read
from apps.contracts.orders import OrderCancelled
from apps.orders.domain import NUMBER_BITS, number

CARDS = ["4242424242424242", "378282246310005", "6011111111111117", "4222222222222", "6304000000000000000"]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("around", ["{}", "card {} please", "n°{}.", "\n{}\n", "x{}y"])
def test_a_card_number_is_found_wherever_it_stands(card: str, around: str) -> None:
    assert holds_card_number(around.format(card))
    assert holds_card_number(around.format(" ".join(card[n : n + 4] for n in range(0, len(card), 4))))
    assert holds_card_number(around.format("-".join(card[n : n + 4] for n in range(0, len(card), 4))))


def test_a_number_beside_a_card_does_not_hide_it() -> None:
    assert holds_card_number("2 4242424242424242 12/30")


@pytest.mark.parametrize(
    "harmless", ["", "4242424242424241", "424242424242", "order 0190163d-8694-739b-aea5-966c26f8ad91", "4" * 40]
)
def test_other_digits_are_left_alone(harmless: str) -> None:
    assert not holds_card_number(harmless)


@given(st.integers(min_value=10**12, max_value=10**19 - 1))
def test_of_ten_numbers_that_differ_in_the_last_digit_one_is_a_card(base: int) -> None:
    ten = [str(base)[:-1] + str(last) for last in range(10)]
    assert sum(holds_card_number(candidate) for candidate in ten) == 1


@given(st.text(alphabet="0123456789 -", max_size=5_000))
def test_any_text_is_judged(text: str) -> None:
    holds_card_number(text)


def test_no_id_of_ours_no_order_number_and_no_telephone_number_is_taken_for_a_card() -> None:
    dice = random.Random(7)
    ids = [str(UUID(int=dice.getrandbits(128))) for _ in range(20_000)] + [str(uuid7()) for _ in range(2_000)]
    assert not [each for each in ids if holds_card_number(f"{each}-charge-1")]
    assert not [
        each for each in (number(dice.getrandbits(NUMBER_BITS)) for _ in range(20_000)) if holds_card_number(each)
    ]
    assert not [n for n in range(1_000) if holds_card_number(f"call +49 151 1234{n:04d} please")]
    base32 = "abcdefghijklmnopqrstuvwxyz234567"
    tokens = ["tok_" + "".join(dice.choices(base32, k=26)) for _ in range(20_000)]
    assert not [each for each in tokens if holds_card_number(each)]


def test_a_plus_hides_no_card_that_stands_behind_a_telephone_number() -> None:
    assert holds_card_number("+49 30 1234, 4242424242424242")
    assert holds_card_number("+4930123456 / 4242424242424242")


@pytest.mark.parametrize("gtin", ["4006381333931", "00012345678905", "01905012345677"])
def test_numbers_of_articles_and_parcels_pass_and_a_card_in_their_place_does_not(gtin: str) -> None:
    assert not holds_card_number(gtin, long_by_nature=True)
    assert holds_card_number("4242424242424242", long_by_nature=True)
    assert holds_card_number("3782 822463 10005", long_by_nature=True)


@given(st.text(alphabet="0123456789 -x+", max_size=200))
def test_what_is_masked_holds_no_card_number(text: str) -> None:
    assert not holds_card_number(masked(text))


def event(**data: Any) -> dict[str, Any]:
    about = {"order_id": str(uuid7()), "customer_id": str(uuid7()), "number": "A1", "sequence": 2, "reason": "late"}
    total = {"amount": 4_222_222_222_222, "currency": "EUR"}
    whole = {**about, "total": total, "cancelled_at": "2026-01-02T03:05:05Z", **data}
    return {"id": str(uuid7()), "traceparent": f"00-{'4' * 32}-{'4' * 16}-01", "data": whole}


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"reason": "charge 4242 4242 4242 4242"}, "data.reason"),
        ({"unknown": [{"deep": "4242424242424242"}]}, "data.unknown.0.deep"),
        ({"unknown": 4242424242424242}, "data.unknown"),
        ({"4242424242424242": 1}, f"data.{MASK}"),
        ({"lines": [{"sku": "4242424242424242"}]}, "data.lines.0.sku"),
    ],
)
def test_an_event_with_a_card_number_anywhere_is_refused_and_keeps_none(data: dict[str, Any], where: str) -> None:
    delivery = read(OrderCancelled, "1", event(**data), cards=False)
    assert delivery.event is None
    assert delivery.reason == f"refused: {where} looks like a card number"
    kept = orjson.dumps(delivery.raw["data"] | {"total": None}).decode().replace(" ", "")
    assert "42424242" not in kept
    assert delivery.raw["data"]["total"]["amount"] == 4_222_222_222_222, "a sum of money stays what it is"
    assert read(OrderCancelled, "1", delivery.raw, cards=False).reason == "", "what is left can be handed out again"


@given(st.text(alphabet="0123456789 -+|ae", min_size=10, max_size=40))
@example("4222222222222")
@example("a+4242424242424242")
@example("|4242 4242-4242 4242")
@example("+49 151 1234567 4242424242424242")
@example("0192f3a0-a1b2-7c2d-8e33-4f4c5b5d6e66 4242424242424242")
def test_the_first_look_at_an_event_passes_over_nothing_that_a_second_finds(text: str) -> None:
    assert bool(screened({"note": [text]})[1]) == holds_card_number(text)


def test_an_event_without_one_is_read_as_it_is() -> None:
    sound = event()
    assert screened(sound) == (sound, "")
    assert read(OrderCancelled, "1", sound, cards=False).event is not None
