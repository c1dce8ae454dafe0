import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from apps.orders.domain import NUMBER_BITS, number
from apps.orders.schemas import Configuration


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
