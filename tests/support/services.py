"""The four services as their own modules declare them."""

import importlib
from dataclasses import dataclass

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from apps.chassis.answers import declared
from apps.chassis.app import Service, create_app
from apps.chassis.auth import Access
from tests.support.asgi import APP_TOKEN

NAMES = ("users", "orders", "payments", "notifications")


@dataclass(frozen=True)
class Route:
    path: str
    methods: frozenset[str]
    dependant: Dependant

    @property
    def access(self) -> list[Access]:
        """What its dependencies declare about who may call it."""
        return declared(self.dependant)


def service(name: str) -> Service:
    found: Service = importlib.import_module(f"apps.{name}.app").SERVICE
    return found


def routes(name: str) -> list[Route]:
    """Return every route of a service, the chassis' own included."""
    declared = service(name)
    settings = declared.settings.model_validate({"APP_PORT": 1, "APP_API_TOKEN": APP_TOKEN})
    found = [
        Route(str(context.path), frozenset(context.methods or ()), context.dependant)
        for context in iter_route_contexts(create_app(declared, settings).routes)
        if isinstance(context.original_route, APIRoute)
    ]
    assert found, f"{name} shows no routes: has the framework changed how it keeps them?"
    return found
