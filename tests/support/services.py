"""The four services as their own modules declare them."""

import importlib

from fastapi.routing import APIRoute

from apps.chassis.app import Service, create_app
from tests.support.asgi import APP_TOKEN

NAMES = ("users", "orders", "payments", "notifications")


def service(name: str) -> Service:
    found: Service = importlib.import_module(f"apps.{name}.app").SERVICE
    return found


def routes(name: str) -> list[APIRoute]:
    """Return every route of a service, the chassis' own included."""
    declared = service(name)
    settings = declared.settings.model_validate({"APP_PORT": 1, "APP_API_TOKEN": APP_TOKEN})
    return [route for route in create_app(declared, settings).routes if isinstance(route, APIRoute)]
