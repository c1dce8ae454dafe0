import re

import pytest

from stack.secrets_file import SHAPES
from tests.support.documents import APP_IDS, CHECKOUT, WATCHED, Document, components, paths, read

RESOURCES = read(*WATCHED)
ROLES = {
    "pubsub": {"users", "orders", "payments", "notifications"},
    "notification-queue": {"notifications"},
    "order-details": {"orders"},
    "undelivered": {"notifications"},
    "email": {"notifications"},
    "email-2": {"notifications"},
    "sms": {"notifications"},
    "push": {"notifications"},
    "secrets": {"users", "orders", "payments", "notifications"},
    "every-10s": {"users", "orders", "payments", "notifications"},
    "card-processor": {"payments"},
    "card-processor-2": {"payments"},
    "guard": {"edge"},
    "rate-limit": {"edge"},
}
ADDRESSES = {
    "SIDECART_VALKEY_ADDRESS",
    "SIDECART_SMTP_HOST",
    "SIDECART_SMTP_PORT",
    "SIDECART_SMS_URL",
    "SIDECART_PUSH_URL",
    "SIDECART_SECRETS_FILE",
}
PLACE = re.compile(r"localhost|\d+\.\d+\.\d+\.\d+|://|:\d{4,5}\b")


def by_name(document: Document) -> str:
    return document.path.stem


def test_files_that_meet_in_one_folder_have_different_names() -> None:
    names = [path.name for path in paths(*WATCHED)]
    assert len(names) == len(set(names))


def test_no_two_resources_of_a_kind_share_a_name() -> None:
    # Two with one name make the sidecar exit.
    names = [("Component" if it.kind == "HTTPEndpoint" else it.kind, it.name) for it in RESOURCES]
    assert len(names) == len(set(names))


def test_components_are_the_known_roles_for_the_known_services() -> None:
    assert {name: set(component.scopes) for name, component in components().items()} == ROLES


@pytest.mark.parametrize("component", components().values(), ids=by_name)
def test_secrets_are_references_to_keys_that_the_stack_makes(component: Document) -> None:
    references = [entry["secretKeyRef"] for entry in component.spec.get("metadata", []) if "secretKeyRef" in entry]
    for reference in references:
        assert reference["name"] == reference["key"]
        assert reference["key"] in SHAPES
        assert not reference["key"].endswith("-owner-url"), "owners are for migrations"
    if references:
        assert component.body["auth"] == {"secretStore": "secrets"}


@pytest.mark.parametrize("component", components().values(), ids=by_name)
def test_components_hold_no_address_and_no_secret(component: Document) -> None:
    for entry in component.spec.get("metadata", []):
        assert len(entry.keys() & {"value", "envRef", "secretKeyRef"}) == 1, entry["name"]
        assert entry.get("envRef", "SIDECART_SMS_URL") in ADDRESSES
        assert not re.search(r"(?i)password|token$|connectionString", entry["name"]) or "secretKeyRef" in entry
        if component.name != "guard":
            assert not PLACE.search(str(entry.get("value", ""))), entry["name"]


def test_the_card_processors_addresses_are_filled_in_by_the_stack() -> None:
    assert components()["card-processor"].spec["baseUrl"] == "${SIDECART_CARD_PROCESSOR_URL}"
    assert components()["card-processor-2"].spec["baseUrl"] == "${SIDECART_CARD_PROCESSOR_2_URL}"


def test_the_guard_admits_the_services_and_nobody_else() -> None:
    rego = components()["guard"].field("rego")["value"]
    services = [app_id for app_id in APP_IDS if app_id != "edge"]
    assert f"({'|'.join(services)})" in rego
    assert "apps := {" + ", ".join(f'"{name}"' for name in services) + "}" in rego
    assert "default allow := false" in rego


def test_the_guard_sees_every_header_that_it_judges() -> None:
    seen = {name.strip().lower() for name in components()["guard"].field("includedHeaders")["value"].split(",")}
    rego = components()["guard"].field("rego")["value"]
    judged = {name.lower() for name in re.findall(r'"(Dapr-[A-Za-z-]+|Authorization)"', rego)}
    assert judged == seen


def test_each_profile_lies_in_a_folder_of_its_own() -> None:
    assert not list((CHECKOUT / "components").glob("*.yaml"))
