"""What we ask of every manifest beyond its being valid."""

import re
from typing import Any

import pytest

from tests.k8s.conftest import OVERLAYS
from tests.support.documents import APP_IDS, SERVICES

Documents = list[dict[str, Any]]
WORKLOADS = {"Deployment", "StatefulSet", "Job"}


def of_kind(documents: Documents, *kinds: str) -> Documents:
    return [each for each in documents if each["kind"] in kinds]


def pods(documents: Documents) -> list[tuple[str, dict[str, Any]]]:
    return [(each["metadata"]["name"], each["spec"]["template"]) for each in of_kind(documents, *WORKLOADS)]


def containers(documents: Documents) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{name}/{container['name']}", container)
        for name, pod in pods(documents)
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
    ]


@pytest.fixture(params=OVERLAYS)
def documents(request: pytest.FixtureRequest, rendered: dict[str, Documents]) -> Documents:
    return rendered[request.param]


def test_every_image_names_its_version(documents: Documents) -> None:
    images = {name: container["image"] for name, container in containers(documents)}
    images |= {
        f"{name}/daprd": image
        for name, pod in pods(documents)
        if (image := pod["metadata"].get("annotations", {}).get("dapr.io/sidecar-image"))
    }
    loose = {name: image for name, image in images.items() if not re.fullmatch(r".+:[^/:]+", image)}
    assert not loose
    assert not {name for name, image in images.items() if image.endswith(":latest")}


def test_every_container_is_bounded(documents: Documents) -> None:
    for name, container in containers(documents):
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, name
        assert container["resources"]["limits"].keys() >= {"cpu", "memory"}, name


def test_no_container_runs_as_root_or_writes_its_own_files(documents: Documents) -> None:
    for name, pod in pods(documents):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
    for name, container in containers(documents):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True, name
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name


def test_every_deployment_has_its_budget(documents: Documents) -> None:
    budgets = [each["spec"]["selector"]["matchLabels"] for each in of_kind(documents, "PodDisruptionBudget")]
    for deployment in of_kind(documents, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        covering = [budget for budget in budgets if budget.items() <= labels.items()]
        assert len(covering) == 1, deployment["metadata"]["name"]


def test_every_service_is_probed_and_leaves_time_to_drain(documents: Documents) -> None:
    for deployment in of_kind(documents, "Deployment"):
        if deployment["metadata"]["labels"].get("sidecart.dev/kind") != "service":
            continue
        pod = deployment["spec"]["template"]
        [app] = pod["spec"]["containers"]
        assert app["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert {"startupProbe", "livenessProbe"} <= app.keys()
        draining = app["lifecycle"]["preStop"]["sleep"]["seconds"] + 10
        sidecar = int(pod["metadata"]["annotations"]["dapr.io/graceful-shutdown-seconds"])
        assert pod["spec"]["terminationGracePeriodSeconds"] > draining + sidecar
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_traces_begin_at_the_edge_alone(rendered: dict[str, Documents]) -> None:
    configurations = {
        each["metadata"]["name"]: each["spec"]["tracing"] for each in of_kind(rendered["production"], "Configuration")
    }
    assert configurations.pop("edge")["samplingRate"] == "0.1"
    services = {name: configurations[name] for name in SERVICES}
    # at nought a sidecar would pass no trace on
    assert {0 < float(told["samplingRate"]) < 1e-6 for told in services.values()} == {True}
    assert {told["otel"]["endpointAddress"] for told in services.values()} == {"otel-collector:4318"}


def test_nothing_passes_that_no_policy_names(documents: Documents) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(documents, "NetworkPolicy")}
    assert policies["deny-by-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    # The door's gRPC port passes by the guard.
    assert policies["edge"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 3500}]
    for name, policy in policies.items():
        for rule in policy.get("ingress", []):
            assert rule.get("from"), f"{name} lets anybody in"


def test_every_secret_that_is_named_is_fetched(rendered: dict[str, Documents]) -> None:
    documents = rendered["production"]
    fetched = {each["spec"]["target"]["name"] for each in of_kind(documents, "ExternalSecret")}
    needed = {
        entry["secretKeyRef"]["name"]
        for each in of_kind(documents, "Component")
        for entry in each["spec"]["metadata"]
        if "secretKeyRef" in entry
    }
    for role in of_kind(documents, "Role"):
        needed |= set(role["rules"][0]["resourceNames"])
    for _, pod in pods(documents):
        notes = pod["metadata"].get("annotations", {})
        needed |= {notes[key] for key in ("dapr.io/api-token-secret", "dapr.io/app-token-secret") if key in notes}
    for _, container in containers(documents):
        sources = [entry.get("valueFrom", {}).get("secretKeyRef") for entry in container.get("env", [])]
        needed |= {source["name"] for source in sources if source}
    assert needed <= fetched, needed - fetched


def test_orders_is_told_of_the_replicas_where_there_are_any(rendered: dict[str, Documents]) -> None:
    named = {
        overlay: {
            entry["name"] for _, container in containers(documents) for entry in container.get("env", [])
        } & {"ORDERS_DATABASE_REPLICA_URL"}
        for overlay, documents in rendered.items()
    }  # fmt: skip
    assert named["production"]
    assert not named["development"]


def test_a_sidecar_may_read_what_its_files_name_and_nothing_else(documents: Documents) -> None:
    for service in SERVICES:
        [configuration] = [each for each in of_kind(documents, "Configuration") if each["metadata"]["name"] == service]
        named = set(configuration["spec"]["secrets"]["scopes"][0]["allowedSecrets"])
        for component in of_kind(documents, "Component"):
            if service in component.get("scopes", []):
                named |= {e["secretKeyRef"]["name"] for e in component["spec"]["metadata"] if "secretKeyRef" in e}
        [role] = [each for each in of_kind(documents, "Role") if each["metadata"]["name"] == f"{service}-secrets"]
        assert role["rules"] == [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": sorted(named)}
        ], service


def test_every_address_that_a_component_reads_is_given(documents: Documents) -> None:
    given = {
        deployment["metadata"]["name"]: deployment["spec"]["template"]["metadata"]
        .get("annotations", {})
        .get("dapr.io/env", "")
        for deployment in of_kind(documents, "Deployment")
    }
    for component in of_kind(documents, "Component"):
        for entry in component["spec"]["metadata"]:
            for app_id in component["scopes"] if "envRef" in entry else []:
                assert f"{entry['envRef']}=" in given[app_id], (component["metadata"]["name"], entry["envRef"])


def test_configurations_fit_the_cluster(documents: Documents) -> None:
    found = {each["metadata"]["name"]: each for each in of_kind(documents, "Configuration")}
    assert found.keys() == set(APP_IDS)
    for name, configuration in found.items():
        assert "nameResolution" not in configuration["spec"], name
        for policy in configuration["spec"]["accessControl"].get("policies", []):
            assert policy["namespace"] == configuration["metadata"]["namespace"] == "sidecart", name


def test_no_placeholder_is_left(documents: Documents) -> None:
    assert not [each["metadata"]["name"] for each in documents if "${" in str(each.get("spec", ""))]
