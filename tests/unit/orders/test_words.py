import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from apps.orders.card_numbers import holds_card_number
from apps.orders.domain import NUMBER_BITS, number
from apps.orders.schemas import Configuration

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


@pytest.mark.parametrize("configuration", [{"4242424242424242": 1}, {"a": {"b": ["4242 4242 4242 4242"]}}, {"a": "\0"}])
def test_a_configuration_hides_no_card_number(configuration: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Configuration).validate_python(configuration)


@given(st.integers(min_value=0, max_value=2**NUMBER_BITS - 1))
def test_a_number_spells_its_bits_and_loses_none(chance: int) -> None:
    spelled = number(chance).replace("-", "")
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    value = 0
    for letter in spelled:
        value = value * 32 + alphabet.index(letter)
    assert (len(spelled), value) == (12, chance)
