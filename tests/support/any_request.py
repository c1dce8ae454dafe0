"""Requests of every kind that a service's own description allows, and whether the answers are those it describes."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis.core import NotSet
from schemathesis.core.result import Ok

from tests.support.asgi import Reply

F = TypeVar("F", bound=Callable[..., None])

Send = Callable[[str, str, bytes | None, str], Reply]
"""Method, path with query, body and media type."""


def operations(document: dict[str, Any]) -> Iterator[Any]:
    """Yield what OpenAPI describes, each as something that makes requests up."""
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        yield found.ok() if isinstance(found, Ok) else pytest.fail(str(found))


def invented(examples: int) -> Callable[[F], F]:
    """Run a test on so many cases, the same each time, and no slower for looking for the shortest."""
    how = settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    return lambda test: seed(1)(how(test))


def besiege(operation: Any, document: dict[str, Any], ids: dict[str, str], send: Send, examples: int) -> int:
    """Send *examples* cases, half of those with an id to one of *ids*; return how many were answered as described."""
    answered = 0

    @invented(examples)
    @given(case=operation.as_strategy(), real=st.booleans())
    def one(case: Any, real: bool) -> None:
        nonlocal answered
        path = _path(case, ids if real else {})
        form = operation.method.upper() != "GET" and case.media_type == "application/x-www-form-urlencoded"
        body = None if isinstance(case.body, NotSet) else _form(case.body) if form else json_of(case.body)
        reply = send(case.method, path, body, case.media_type or "application/json")
        undocumented = fault(document["paths"][operation.path][operation.method.lower()], document, reply)
        assert undocumented is None, (undocumented, case.method, path, body, reply.status, reply.body)
        answered += 1

    one()
    return answered


def fault(described: dict[str, Any], document: dict[str, Any], reply: Reply) -> str | None:
    """Return in what way an answer is none of those that are described; None where it is one."""
    if reply.status >= 500 and reply.status != 503:
        return "our fault"
    answer = described["responses"].get(str(reply.status))
    if answer is None:
        return "a status that is not described"
    media = reply.headers.get("content-type", "").partition(";")[0]
    if "content" not in answer:
        return "a body where none is described" if reply.body else None
    if media not in answer["content"]:
        return f"{media}, which is not described"
    schema = {**answer["content"][media].get("schema", {}), "components": document.get("components", {})}
    wrong = next(iter(Draft202012Validator(schema).iter_errors(reply.json())), None)
    return wrong and wrong.message


def _path(case: Any, ids: dict[str, str]) -> str:
    path = case.path
    for name, value in {**(case.path_parameters or {}), **ids}.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    query = urlencode({k: v for k, v in (case.query or {}).items() if v is not None}, doseq=True)
    return f"{path}?{query}" if query else path


def _form(body: Any) -> bytes:
    return urlencode(body, doseq=True).encode() if isinstance(body, dict) else b""


def json_of(body: Any) -> bytes:
    """Return a made-up body as JSON; one that is bytes already goes as it is."""
    if isinstance(body, bytes):
        return body
    try:
        return orjson.dumps(body)
    except TypeError:  # numbers beyond 64 bits, which JSON allows
        return json.dumps(body, default=lambda other: base64.b64encode(bytes(other)).decode()).encode()
