import pytest
from fastapi.dependencies.models import Dependant

from apps.chassis.idempotency import _key
from tests.support.services import NAMES, Route, routes

EVERY_ROUTE = [pytest.param(name, route, id=f"{name} {route.path}") for name in NAMES for route in routes(name)]


def calls(dependant: Dependant) -> set[object]:
    return {dependant.call}.union(*(calls(inner) for inner in dependant.dependencies))


@pytest.mark.parametrize(("name", "route"), EVERY_ROUTE)
def test_every_route_declares_who_may_call_it(name: str, route: Route) -> None:
    assert route.access, f"{name}: {route.path} declares nothing: add public, requires(), internal()"


@pytest.mark.parametrize(("name", "route"), EVERY_ROUTE)
def test_internal_paths_and_only_they_are_for_services(name: str, route: Route) -> None:
    kinds = {access.kind for access in route.access}
    if route.path.startswith("/internal/"):
        assert kinds == {"internal"}, name
    elif route.path.startswith(("/events/", "/jobs/")):
        assert kinds == {"sidecar"}, name
    else:
        assert kinds <= {"public", "token"}, name


MONEY = [
    ("orders", "/orders"),
    ("orders", "/orders/{order_id}/cancel"),
    ("payments", "/payments"),
    ("payments", "/payments/{payment_id}/refunds"),
    ("payments", "/payments/{payment_id}/capture"),
    ("payments", "/payments/{payment_id}/void"),
    ("notifications", "/internal/notifications"),
    ("notifications", "/campaigns"),
]


@pytest.mark.parametrize(("name", "path"), MONEY)
def test_what_creates_or_moves_money_takes_an_idempotency_key(name: str, path: str) -> None:
    found = [route for route in routes(name) if route.path == path and "POST" in route.methods]
    assert found, f"{name} has no POST {path}"
    assert all(_key in calls(route.dependant) for route in found)
