"""What OpenAPI says of a route beyond what its code shows: the problems that any such route may answer with."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from apps.chassis import problems
from apps.chassis.auth import ACCESS, Access

_SECURITY = "accessToken"
_WITH_BODY = (400, 413, 415, 422)
_WITH_PARAMETERS = (422,)
_WITH_TOKEN = (401, 403)
_ALWAYS = (429, 503)


def declared(dependant: Dependant) -> list[Access]:
    """Return what a route's dependencies declare about who may call it."""
    own = getattr(dependant.call, ACCESS, None)
    return ([own] if own else []) + [access for inner in dependant.dependencies for access in declared(inner)]


def document(app: FastAPI) -> None:
    """Make `/openapi.json` name every answer, and the token that a route asks for."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            schema.setdefault("components", {}).setdefault("securitySchemes", {})[_SECURITY] = bearer
            for path, method, access in _operations(app):
                operation = schema["paths"].get(path, {}).get(method)
                if operation:
                    _complete(operation, access)
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to change it


def _operations(app: FastAPI) -> Iterable[tuple[str, str, list[Access]]]:
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            for method in context.methods or ():
                yield str(context.path), method.lower(), declared(context.dependant)


def _complete(operation: dict[str, Any], access: list[Access]) -> None:
    answers: dict[str, Any] = operation["responses"]
    may: set[int] = set(_ALWAYS)
    may.update(_WITH_BODY if "requestBody" in operation else ())
    may.update(_WITH_PARAMETERS if operation.get("parameters") else ())
    if any(each.kind == "token" for each in access):
        operation["security"] = [{_SECURITY: []}]
        may.update(_WITH_TOKEN)
    for status, answer in problems.may(*sorted(may)).items():
        # the framework's own 422 describes a body that nobody here answers with
        if str(status) not in answers or status == 422:  # noqa: PLR2004
            answers[str(status)] = answer
