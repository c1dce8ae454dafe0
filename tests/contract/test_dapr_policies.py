from typing import Any

import pytest
import yaml

from apps.payments.settings import PaymentsSettings
from tests.support.documents import CHECKOUT, SERVICES, Document, components, read
from tests.support.hops import seconds

POLICIES = read("resiliency")


def policies(document: Document, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = document.spec["policies"].get(kind, {})
    return found


def component_targets() -> list[tuple[Document, str, dict[str, Any]]]:
    return [
        (document, name, target)
        for document in POLICIES
        for name, target in document.spec["targets"].get("components", {}).items()
    ]


@pytest.mark.parametrize(("document", "name"), [(it, name) for it, name, _ in component_targets()])
def test_a_guarded_component_exists_and_reaches_the_same_sidecars(document: Document, name: str) -> None:
    # a role that moves to another store has two besides for a while
    role = name.removesuffix("-next").removesuffix("-previous")
    assert set(components()[role].scopes) == set(document.scopes)


def test_every_hop_has_a_timeout_and_each_component_its_policy() -> None:
    # what a moving store has besides is no component of the checkout's
    guarded = {name: target for _, name, target in component_targets() if not name.endswith(("-next", "-previous"))}
    components_alone = {name for name, it in components().items() if it.kind == "Component" and not passes_requests(it)}
    assert set(guarded) == components_alone
    assert all("timeout" in way for target in guarded.values() for way in target.values())
    apps = [target for it in POLICIES for target in it.spec["targets"].get("apps", {}).values()]
    assert all("timeout" in target and "retry" in target for target in apps)


def passes_requests(component: Document) -> bool:
    """Tell whether it stands in the edge's pipeline: requests pass through it, and it calls nobody."""
    return component.kind == "Component" and component.spec["type"].startswith("middleware.")


@pytest.mark.parametrize("name", ["order-details", "undelivered", "email", "email-2", "sms", "push"])
def test_what_can_be_away_is_shed_by_a_breaker(name: str) -> None:
    (target,) = [target for _, found, target in component_targets() if found == name]
    assert "circuitBreaker" in target["outbound"]


@pytest.mark.parametrize("broker", ["pubsub", "notification-queue"])
def test_delivery_is_retried_without_end_and_never_cut_off_by_a_breaker(broker: str) -> None:
    ((document, target),) = [(it, target) for it, name, target in component_targets() if name == broker]
    assert "circuitBreaker" not in target["inbound"]
    retry = policies(document, "retries")[target["inbound"]["retry"]]
    # An exponential policy ends after 15 minutes even with -1.
    assert (retry["policy"], retry["maxRetries"]) == ("constant", -1)


def test_a_mail_is_never_sent_again_by_the_sidecar() -> None:
    lanes = {name: target["outbound"] for _, name, target in component_targets() if name.startswith("email")}
    assert set(lanes) == {"email", "email-2"}
    assert all("retry" not in outbound and "timeout" in outbound for outbound in lanes.values())


def test_each_lane_for_mail_that_the_topology_names_is_a_component() -> None:
    run_file = yaml.safe_load((CHECKOUT / "dapr/dapr.yaml").read_text())
    (app,) = [app for app in run_file["apps"] if app["appID"] == "notifications"]
    assert set(app["env"]["NOTIFICATIONS_EMAIL_LANES"].split(",")) <= set(components())


@pytest.mark.parametrize("document", POLICIES, ids=lambda document: document.name)
def test_an_outage_that_hangs_opens_the_breaker_too(document: Document) -> None:
    # the count starts anew after each interval: what hangs must fail often enough within one
    cards = document.name.startswith("card-processor")
    at_once = PaymentsSettings.model_fields["concurrency"].default if cards else 1
    for target in guarded_by_breakers(document):
        breaker = policies(document, "circuitBreakers")[target["circuitBreaker"]]
        failures = int(breaker["trip"].removeprefix("consecutiveFailures >= "))
        needed = failures * seconds(policies(document, "timeouts")[target["timeout"]]) / at_once
        assert "interval" not in breaker or seconds(breaker["interval"]) > needed


def guarded_by_breakers(document: Document) -> list[dict[str, str]]:
    targets = [target for kind in document.spec["targets"].values() for target in kind.values()]
    ways = [part for target in targets for part in (target.get("outbound", target), target.get("inbound", {}))]
    return [way for way in ways if "circuitBreaker" in way]


@pytest.mark.parametrize("name", ["card-processor", "card-processor-2"])
def test_a_decline_is_an_answer_and_not_repeated(name: str) -> None:
    (document,) = [it for it in POLICIES if it.name == name]
    retry = policies(document, "retries")[f"{name}-call"]
    assert retry["matching"] == {"httpStatusCodes": "500-599"}
    assert document.scopes == ["payments"]
    # every try and every pause, and the worker still hears what came of it
    timeout = seconds(policies(document, "timeouts")[f"{name}-call"])
    whole = timeout * (1 + retry["maxRetries"]) + seconds(retry["duration"]) * retry["maxRetries"]
    assert whole < PaymentsSettings.model_fields["call_timeout"].default.total_seconds()


def test_the_edge_gives_only_named_apps_time_to_answer() -> None:
    (document,) = [it for it in POLICIES if it.scopes == ["edge"]]
    assert set(document.spec["targets"]["apps"]) == set(SERVICES)
    # a sidecar counts 4xx as failures: a breaker here is a switch that any client can turn off
    assert "circuitBreakers" not in document.spec["policies"]
    timeouts = policies(document, "timeouts")
    assert timeouts["DefaultAppTimeoutPolicy"] == "1ns"
    # Event streams end themselves after 25 s.
    assert int(timeouts["edge-call"].removesuffix("s")) > 25
