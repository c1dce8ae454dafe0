"""RFC 9457: every error a client sees is `application/problem+json`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from apps.chassis import telemetry
from apps.chassis.database import is_outage
from apps.chassis.sidecar import SidecarError

_TITLES = {
    400: "Bad request", 401: "Not signed in", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    409: "Conflict", 410: "Gone", 412: "Precondition failed", 413: "Content too large",
    415: "Unsupported media type", 422: "Invalid content", 428: "Precondition required", 429: "Too many requests",
    500: "Internal error", 503: "Temporarily unavailable",
}  # fmt: skip
_RETRY_AFTER_S = 2
_MEDIA = "application/problem+json"
_TEXT = {"type": "string"}
SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT, "instance": _TEXT,
        "errors": {"type": "array", "items": {"type": "object", "properties": {"pointer": _TEXT, "detail": _TEXT}}},
        "trace_id": _TEXT,
    },
}  # fmt: skip
"""How OpenAPI describes any of them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """How an error is told: its status, and a slug that programs can rely on."""

    status: int
    slug: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class ProblemError(Exception):
    """An error that knows how it is told; for services whose table of problems does not name it."""

    def __init__(self, status: int, slug: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.problem = Problem(status, slug, headers or {})


def response(problem: Problem, detail: str, instance: str, errors: list[dict[str, str]] | None = None) -> Response:
    """Return the problem as clients see it; *errors* hold JSON Pointers into what they sent."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": detail,
        "instance": instance,
    }
    if errors:
        body["errors"] = errors
    if trace_id := telemetry.trace_id():
        body["trace_id"] = trace_id
    return Response(orjson.dumps(body), problem.status, dict(problem.headers), _MEDIA)


def may(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare problems that a route answers with, besides those that any such route may; for its `responses`."""
    return {status: {"description": _TITLES[status], "content": {_MEDIA: {"schema": SCHEMA}}} for status in statuses}


Handler = Callable[[Request, Any], Awaitable[Response]]


def install(app: FastAPI, table: Mapping[type[Exception], Problem]) -> None:
    """Make *app* answer each error of *table*, and everything the framework raises, as a problem."""
    for kind, problem in table.items():
        app.add_exception_handler(kind, _teller(problem))
    app.add_exception_handler(ProblemError, _tell_problem_error)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(SidecarError, _tell_outage)


def _teller(problem: Problem) -> Handler:
    async def tell(request: Request, error: Exception) -> Response:
        # an error may carry places in the body as `pointers`, and how long to wait as `headers`
        told = Problem(problem.status, problem.slug, {**problem.headers, **getattr(error, "headers", {})})
        return response(told, str(error), request.url.path, getattr(error, "pointers", None))

    return tell


async def _tell_problem_error(request: Request, error: Any) -> Response:
    return response(error.problem, str(error), request.url.path)


async def _tell_http(request: Request, error: Any) -> Response:
    slug = _TITLES.get(error.status_code, "error").lower().replace(" ", "-")
    problem = Problem(error.status_code, slug, error.headers or {})
    return response(problem, str(error.detail), request.url.path)


async def _tell_invalid(request: Request, error: Any) -> Response:
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return response(Problem(400, "malformed-json"), "The body is not valid JSON.", request.url.path)
    # what does not say that it is JSON is not read as such, and is wrong as a whole
    if not _says_json(request) and any(item["loc"] == ("body",) and item["type"] != "missing" for item in found):
        detail = "Send the body as JSON, and say so: content-type: application/json."
        return response(Problem(415, "content-not-json"), detail, request.url.path)
    # what was sent is not repeated: it may hold a password or a card number
    errors = [{"pointer": _pointer(item["loc"]), "detail": str(item["msg"])} for item in found]
    return response(Problem(422, "invalid-content"), "Some fields are not valid.", request.url.path, errors)


async def _tell_outage(request: Request, error: Exception) -> Response:
    telemetry.log.warning("dependency_unavailable", error=type(error).__name__, path=request.url.path)
    problem = Problem(503, "temporarily-unavailable", {"Retry-After": str(_RETRY_AFTER_S)})
    return response(problem, "Something this service needs is away; try again shortly.", request.url.path)


async def tell_unexpected(request: Request, error: Exception) -> Response:
    """Tell outages as 503 and everything else as 500, which is ours to mend and is logged."""
    if is_outage(error):
        return await _tell_outage(request, error)
    telemetry.log.error("request_failed", path=request.url.path, exc_info=error)
    return response(Problem(500, "internal-error"), "This is our fault; it has been logged.", request.url.path)


def _says_json(request: Request) -> bool:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media.startswith("application/") and media.endswith(("/json", "+json"))


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return where in the request it is: `#/lines/0/sku` in the body, `#` all of it, `query/limit` elsewhere."""
    place, *rest = location
    path = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in rest)
    return ("#" if place == "body" else str(place)) + path
