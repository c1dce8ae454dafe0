import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.orders.options import OptionsRefusedError, checked, complaint

ENGRAVING = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 20},
        "size": {"enum": ["s", "m", "l"]},
        "gifts": {"type": "array", "items": {"type": "object", "required": ["to"]}, "maxItems": 3},
    },
    "required": ["size"],
    "additionalProperties": False,
}


def test_a_schema_that_can_be_held_against_lines_is_taken() -> None:
    assert checked(ENGRAVING) is ENGRAVING


def nested(depth: int) -> dict[str, Any]:
    return {"not": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "https://example.org/schema"}, "'$ref'"),
        ({"properties": {"a": {"$ref": "#"}}}, "'$ref'"),
        ({"anyOf": [{"$dynamicRef": "#x"}]}, "'$dynamicRef'"),
        ({"properties": {"a": {"pattern": "(a+)+$"}}}, "'pattern'"),
        ({"patternProperties": {"(a+)+$": {}}}, "'patternProperties'"),
        ({"uniqueItems": True}, "'uniqueItems'"),
        ({"type": "shape"}, "no JSON Schema"),
        ({"required": "size"}, "no JSON Schema"),
        ({"properties": [1]}, "no JSON Schema"),
        (nested(20), "8 deep"),
        ({"anyOf": [{}] * 100}, "100 parts"),
        ({"description": "x" * 20_000}, "16384 bytes"),
    ],
)
def test_a_schema_that_could_reach_out_or_hang_is_refused_with_the_reason(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionsRefusedError, match="options") as refused:
        checked(schema)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("configuration", "pointer"),
    [
        (None, ""),
        ({}, ""),
        ({"size": "xl"}, "/size"),
        ({"size": "s", "text": "x" * 21}, "/text"),
        ({"size": "s", "colour": "red"}, ""),
        ({"size": "s", "gifts": [{"to": "Bert"}, {}]}, "/gifts/1"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(configuration: dict[str, Any] | None, pointer: str) -> None:
    wrong = complaint(ENGRAVING, configuration)
    assert wrong is not None
    assert wrong[0] == pointer


def test_what_fits_is_fine() -> None:
    assert complaint(ENGRAVING, {"size": "m", "text": "Anna", "gifts": [{"to": "Bert"}]}) is None


def test_the_costliest_pair_that_is_let_in_is_judged_within_a_second() -> None:
    branch: dict[str, Any] = {"items": {"anyOf": [{"type": "string"}, {"items": {"anyOf": [{"const": 1}] * 10}}]}}
    schema = checked({"properties": {"a": {"allOf": [branch] * 6}}})
    began = time.process_time()
    complaint(schema, {"a": [[2] * 13 for _ in range(13)]})
    assert time.process_time() - began < 1


def test_a_configuration_is_bounded() -> None:
    wrong = complaint({}, {"a": list(range(200))})
    assert wrong is not None
    assert "at most" in wrong[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "properties", "items", "enum", "anyOf", "minimum"]), JSON), JSON)
def test_whatever_is_offered_as_a_schema_is_refused_or_can_be_used(schema: dict[str, Any], given_: Any) -> None:
    try:
        checked(schema)
    except OptionsRefusedError:
        return
    complaint(schema, {"a": given_})
