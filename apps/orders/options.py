"""What a line's configuration may be: a JSON Schema that staff write and that nothing in it can make slow.

Words that look elsewhere ($ref), and patterns, which may take a regular expression for ever, are refused. What is left
costs at most as many steps as the schema has parts times those of the configuration, and both are bounded.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

_MAX_BYTES: Final = 16_384
_MAX_PARTS: Final = 100
_MAX_DEPTH: Final = 8
_MAX_CONFIGURATION: Final = 200
_WORDS: Final = frozenset({
    "$schema", "$comment", "title", "description", "default", "examples", "type", "enum", "const", "properties",
    "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired", "items",
    "prefixItems", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
})  # fmt: skip
_SCHEMAS: Final = frozenset({"additionalProperties", "propertyNames", "items", "not", "if", "then", "else"})
_LISTS: Final = frozenset({"prefixItems", "allOf", "anyOf", "oneOf"})


class OptionsRefusedError(ValueError):
    """This is no schema that lines are held against."""


def checked(schema: dict[str, Any]) -> dict[str, Any]:
    """Return *schema*, or raise OptionsRefusedError naming what is wrong with it."""
    if len(json.dumps(schema)) > _MAX_BYTES:  # not orjson, which refuses integers beyond 64 bits
        raise OptionsRefusedError(f"options take at most {_MAX_BYTES} bytes")
    for parts, (depth, part) in enumerate(_parts(schema, 1), start=1):
        if depth > _MAX_DEPTH or parts > _MAX_PARTS:
            raise OptionsRefusedError(f"options have at most {_MAX_PARTS} parts, {_MAX_DEPTH} deep")
        if unknown := sorted(set(part) - _WORDS):
            raise OptionsRefusedError(f"options do not take {unknown[0]!r}; see docs/orders.md for what they take")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise OptionsRefusedError(f"options are no JSON Schema: {error.message[:200]}") from None
    return schema


def _parts(schema: Any, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each schema within *schema*, itself included, with how deep it lies."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH + 1:
        return
    yield depth, schema
    for word, value in schema.items():
        inner: list[Any] = []
        if word in _SCHEMAS:
            inner = [value]
        elif word in _LISTS and isinstance(value, list):
            inner = value
        elif word == "properties" and isinstance(value, dict):
            inner = list(value.values())
        for each in inner:
            yield from _parts(each, depth + 1)


def complaint(schema: dict[str, Any], configuration: dict[str, Any] | None) -> tuple[str, str] | None:
    """Return where in *configuration* and why it does not fit; None where it does. None given is an empty one."""
    given = configuration or {}
    if _size(given) > _MAX_CONFIGURATION:
        return "", f"A configuration has at most {_MAX_CONFIGURATION} values."
    try:
        error = best_match(Draft202012Validator(schema).iter_errors(given))
    except (RecursionError, OverflowError, ValueError):
        return "", "This cannot be held against the article's options."
    if error is None:
        return None
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.absolute_path)
    # the message of a schema may repeat what was sent, at any length
    return pointer, error.message[:200]


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_size(inner) for inner in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(inner) for inner in value)
    return 1
