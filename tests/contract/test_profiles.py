"""Whatever profile is chosen, the services find the same roles: only the product and how it is reached differ."""

from pathlib import Path

import pytest
import yaml

from stack import addresses, profiles
from stack.home import Home
from stack.resources import DEFAULT_PROFILE
from stack.secrets_file import SHAPES
from stack.servers import resolver
from tests.contract.test_dapr_resources import PLACE
from tests.support.documents import Document, components, subscriptions

OTHERS = [
    Document(it.path, yaml.safe_load(it.path.read_text()))
    for it in profiles.variants()
    if it.profile != DEFAULT_PROFILE
]
BROKERS = [it for it in OTHERS if it.spec["type"].startswith("pubsub.")]
RABBITMQ = [it for it in BROKERS if it.spec["type"] == "pubsub.rabbitmq"]
LANES = [it for it in OTHERS if it.name in {"email", "email-2"}]
ACCOUNTS = ("apns-", "postmark-", "sendgrid-", "ses-", "sns-", "twilio-")
# What each of these is by default loses messages.
KEEPS = {
    "durable": "true",
    "deletedWhenUnused": "false",
    "deliveryMode": "2",
    "publisherConfirm": "true",
    "requeueInFailure": "true",
}


def label(document: Document) -> str:
    return f"{document.path.parent.name}-{document.name}"


@pytest.mark.parametrize("component", OTHERS, ids=label)
def test_a_profile_plays_roles_of_the_embedded_one_for_the_same_services(component: Document) -> None:
    embedded = components()[component.name]
    assert component.path.stem == component.name
    assert component.scopes == embedded.scopes
    assert component.spec["type"].partition(".")[0] == embedded.spec["type"].partition(".")[0]
    assert component.path.read_text().startswith("# ")


@pytest.mark.parametrize("component", OTHERS, ids=label)
def test_secrets_and_addresses_are_references_to_what_the_stack_gives(component: Document, tmp_path: Path) -> None:
    given = addresses.every(Home(tmp_path, 0))
    for entry in component.spec["metadata"]:
        assert len(entry.keys() & {"value", "envRef", "secretKeyRef"}) == 1, entry["name"]
        assert entry.get("envRef", "SIDECART_KAFKA_BROKERS") in given
        if "secretKeyRef" in entry:
            assert entry["secretKeyRef"]["name"] == entry["secretKeyRef"]["key"]
            assert entry["secretKeyRef"]["key"] in SHAPES
        assert not PLACE.search(str(entry.get("value", ""))), entry["name"]
    # the store of secrets itself has nowhere else to look
    assert component.body.get("auth") == (None if component.name == "secrets" else {"secretStore": "secrets"})


@pytest.mark.parametrize("component", OTHERS, ids=label)
def test_the_stack_knows_the_server_of_every_product_or_stands_in_for_its_provider(component: Document) -> None:
    if component.spec["type"].startswith("bindings."):
        assert not resolver.needed_by(component.path.read_text())
        keys = {entry["secretKeyRef"]["key"] for entry in component.spec["metadata"] if "secretKeyRef" in entry}
        assert keys
        assert all(key.startswith(ACCOUNTS) for key in keys)
    else:
        assert resolver.needed_by(component.path.read_text())


@pytest.mark.parametrize("provider", LANES, ids=label)
def test_who_mails_through_one_lane_mails_through_the_other_alike(provider: Document) -> None:
    [other] = [it for it in LANES if it.path.parent == provider.path.parent and it is not provider]
    assert other.spec == provider.spec


@pytest.mark.parametrize("broker", BROKERS, ids=label)
def test_every_broker_lets_the_same_services_publish_the_same_facts(broker: Document) -> None:
    embedded = components()[broker.name]
    for scopes in ("publishingScopes", "subscriptionScopes"):
        assert broker.field(scopes) == embedded.field(scopes)


@pytest.mark.parametrize("broker", RABBITMQ, ids=label)
def test_rabbitmq_keeps_what_it_accepted(broker: Document) -> None:
    assert {name: broker.field(name).get("value") for name in KEEPS} == KEEPS


@pytest.mark.parametrize("broker", RABBITMQ, ids=label)
def test_rabbitmq_hands_out_enough_for_a_batch(broker: Document) -> None:
    largest = max(
        it.spec["bulkSubscribe"]["maxMessagesCount"]
        for it in subscriptions()
        if it.spec["pubsubname"] == broker.name and "bulkSubscribe" in it.spec
    )
    assert largest <= int(broker.field("prefetchCount")["value"]) <= 255


def test_every_profile_has_a_folder_and_the_default_all_roles() -> None:
    assert profiles.names()[0] == DEFAULT_PROFILE
    assert {"reference", "cloud"} <= set(profiles.names())
