"""What the code offers and what the YAML opens are one list, held from both sides."""

import re

import pytest

from apps.contracts.base import Event
from tests.contract.test_events import EVENTS
from tests.support.access import allows
from tests.support.documents import APP_IDS, components, configuration, may_publish, subscriptions
from tests.support.services import NAMES, Route, routes, service

DEAD = "/events/dead-letters"
EVERY_ROUTE = [
    pytest.param(name, route, method, id=f"{name} {method} {route.path}")
    for name in NAMES
    for route in routes(name)
    for method in sorted(route.methods - {"HEAD", "OPTIONS"})
]


def callers(name: str, route: Route, method: str) -> set[str]:
    """Return the app-ids that the sidecar of *name* lets through to *route*."""
    path = re.sub(r"\{[^}]+\}", "0198c5b2-7d1e-7c3a-9f55-3a1c2b4d5e6f", route.path)
    policies = configuration(name).spec["accessControl"]["policies"]
    return {caller for caller in APP_IDS if allows(policies, caller, method, path)}


@pytest.mark.parametrize(("name", "route", "method"), EVERY_ROUTE)
def test_the_sidecar_lets_through_whom_the_route_names(name: str, route: Route, method: str) -> None:
    admitted = callers(name, route, method)
    kinds = {access.kind for access in route.access}
    if kinds == {"internal"}:
        assert admitted == {app_id for access in route.access for app_id in access.names}
    elif kinds == {"sidecar"}:
        assert admitted == set()
    else:
        assert "edge" in admitted


@pytest.mark.parametrize("name", NAMES)
def test_each_handler_has_its_subscription_and_each_subscription_its_handler(name: str) -> None:
    subscribed = {
        (it.spec["pubsubname"], it.spec["topic"])
        for it in subscriptions()
        if it.scopes == [name] and it.spec["routes"]["default"] != DEAD
    }
    handled = {(it.event.pubsub, topic) for topic, it in service(name).handlers.subscribers.items()}
    assert handled == subscribed


@pytest.mark.parametrize("name", NAMES)
def test_each_job_has_its_clock(name: str) -> None:
    crons = {it.name for it in components().values() if it.spec.get("type") == "bindings.cron" and name in it.scopes}
    assert set(service(name).jobs.by_binding) == crons


@pytest.mark.parametrize("event", EVENTS.values(), ids=sorted(EVENTS))
def test_each_fact_may_be_published_by_the_service_it_belongs_to(event: type[Event]) -> None:
    publisher = event.__module__.rpartition(".")[2]
    assert event.pubsub in components()
    assert event.pubsub != "pubsub" or event.topic in may_publish(publisher)
