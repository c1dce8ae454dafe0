"""Examples stand beside the four: they share no name, no port and no right with them."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import topology
from stack.topology import App
from tests.support.documents import APP_IDS, CHECKOUT, Document

RUN_FILES = sorted((CHECKOUT / "examples").glob("*/dapr.yaml"))
RESOURCES = [
    Document(path, yaml.safe_load(path.read_text()))
    for path in sorted((CHECKOUT / "examples").glob("*/resources/*.yaml"))
]


def by_folder(document: Document) -> str:
    return f"{owner(document)}-{document.path.stem}"


def owner(document: Document) -> str:
    return document.path.parent.parent.name


def ports(app: App) -> list[int]:
    own = [app.dapr_http_port, app.dapr_grpc_port, app.dapr_internal_grpc_port, app.metrics_port]
    return [*own, app.app_port] if app.app_port else own


def test_all_run_side_by_side() -> None:
    apps = [app for file in [topology.DEFAULT_FILE, *RUN_FILES] for app in topology.load(file).apps]
    assert [app.app_id for app in apps] == [*APP_IDS, "loyalty", "observer", "partner"]
    assert Counter(port for app in apps for port in ports(app)).most_common(1)[0][1] == 1


@pytest.mark.parametrize("file", RUN_FILES, ids=lambda file: file.parent.name)
def test_each_has_a_configuration_of_its_own_name_that_closes_its_doors(file: Path) -> None:
    [app] = topology.load(file).apps
    assert (app.app_id, app.api_listen_addresses) == (file.parent.name, "127.0.0.1")
    path = (file.parent / str(app.config_file_path)).resolve()
    body: dict[str, Any] = yaml.safe_load(path.read_text())
    assert path.name == f"{app.app_id}.yaml"
    assert body["metadata"]["name"] == app.app_id
    assert body["spec"]["mtls"]["enabled"] is True
    control = body["spec"]["accessControl"]
    assert (control["trustDomain"], control["defaultAction"]) == ("public", "deny")
    assert {policy["appId"] for policy in control.get("policies", [])} <= {"partner"}


@pytest.mark.parametrize("resource", RESOURCES, ids=by_folder)
def test_a_resource_is_its_owners_alone(resource: Document) -> None:
    assert resource.scopes == [owner(resource)]
    assert resource.path.read_text().startswith("# ")


@pytest.mark.parametrize("resource", [it for it in RESOURCES if it.name == "pubsub"], ids=by_folder)
def test_no_example_can_state_a_fact_or_hear_of_an_account(resource: Document) -> None:
    heard, said = (
        set(resource.field(f"{way}Scopes")["value"].removeprefix(f"{owner(resource)}=").split(","))
        for way in ("subscription", "publishing")
    )
    assert all(topic.startswith(("order-", "payment-", "refund-", f"{owner(resource)}-")) for topic in heard)
    assert said <= {"", f"{owner(resource)}-dead-letters"}
