"""Whether a document has the shape that Dapr's own definitions give its kind."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from stack.check.document import Document
from stack.check.finding import Finding, instead_of

SCHEMAS = Path(__file__).parent / "schemas"
# Kind -> its definition, below charts/dapr/crds of Dapr's module.
DEFINITIONS = {
    "Component": "components",
    "Configuration": "configuration",
    "HTTPEndpoint": "httpendpoints",
    "Resiliency": "resiliency",
    "Subscription": "subscription",
}
WORDS = {
    "string": "a text: put it in quotes",
    "integer": "a whole number, without quotes",
    "boolean": "true or false, without quotes",
    "object": "fields below it",
    "array": "a list",
}


def findings(document: Document) -> Iterator[Finding]:
    """Yield every place where the document does not fit its kind."""
    if document.kind not in DEFINITIONS:
        yield document.finding(("kind",), f"kind is {document.kind}", instead_of(document.kind, DEFINITIONS))
        return
    for error in _validator(document.kind).iter_errors(document.body):
        yield from _told(document, error)


@cache
def _validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{DEFINITIONS[kind]}.json").read_text()))


def _told(document: Document, error: ValidationError) -> Iterator[Finding]:
    keys = tuple(error.absolute_path)
    place = _dotted(keys) or document.kind
    value: Any = error.instance
    if error.validator == "required":
        rule: Any = error.validator_value
        for name in rule:
            if name not in value:
                yield document.finding(keys, f"{_dotted((*keys, name))} is missing", "add it")
        return
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        known = schema["properties"]
        for name in value:
            if name not in known:
                said = f"{_dotted((*keys, name))} is nothing that {place} has"
                yield document.finding((*keys, name), said, instead_of(str(name), known))
        return
    yield document.finding(keys, f"{place} is {_shown(value)}", _remedy(error))


def _remedy(error: ValidationError) -> str:
    rule: Any = error.validator_value
    if error.validator == "type":
        return f"it must be {WORDS[rule]}"
    if error.validator == "const":
        return f"it must be {rule}"
    if error.validator == "enum":
        return instead_of(str(error.instance), rule)
    return "give letters, digits, dots and hyphens"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a group of fields"
    return "empty" if value is None else json.dumps(value, default=str)


def _dotted(keys: tuple[Any, ...]) -> str:
    return ".".join(str(key) for key in keys)
