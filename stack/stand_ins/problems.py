from collections.abc import Mapping
from http.client import responses
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response


class Invalid(Exception):  # noqa: N818 - read as `raise Invalid({...})`
    """Input that does not validate: field name (empty for the whole) to what is wrong with it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {wrong}" for name, wrong in fields.items()))
        self.fields = fields


def as_json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return *content* as JSON."""
    return Response(orjson.dumps(content), status, headers, "application/json")


def problem(status: int, detail: str, errors: Mapping[str, str] | None = None) -> Response:
    """Return an RFC 9457 problem; *errors* maps a field's name to what is wrong with it."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": responses.get(status, "Error"),
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = [{"pointer": f"/{name}" if name else "", "detail": wrong} for name, wrong in errors.items()]
    return Response(orjson.dumps(body), status, media_type="application/problem+json")


async def on_http_error(request: Request, error: Exception) -> Response:
    """Turn the router's own refusals (404, 405) into problems."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return problem(status, f"{request.method} {request.url.path}: {responses.get(status, 'Error')}.")


async def on_invalid(_: Request, error: Exception) -> Response:
    """Turn `Invalid` into a 422 that names each field."""
    fields = error.fields if isinstance(error, Invalid) else {}
    return problem(422, "The request does not validate.", errors=fields)


def refuse(status: int) -> Response:
    """Answer a request that a fault hit."""
    return problem(status, "Told to fail by PUT /faults; DELETE /faults ends it.")
