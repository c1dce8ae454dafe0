"""k8s/ says of names, ports and files what dapr/dapr.yaml and the folders say."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.chassis import metrics
from apps.chassis.serve import find
from tests.support.documents import APP_IDS, CHECKOUT, SERVICES, components

RUN: dict[str, Any] = yaml.safe_load((CHECKOUT / "dapr/dapr.yaml").read_text())
APPS: dict[str, dict[str, Any]] = {app["appID"]: app for app in RUN["apps"]}
BASE = CHECKOUT / "k8s/base"
# Of the control plane, and of a client who brings a sidecar.
NOT_OURS = {"config/sentry.yaml", "config/partner.yaml"}


def listed(folder: str) -> list[str]:
    found: list[str] = yaml.safe_load((CHECKOUT / folder / "Kustomization").read_text())["resources"]
    return found


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def annotations(app_id: str) -> dict[str, str]:
    own: dict[str, str] = load(BASE / app_id / "deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    common = load(BASE / "every-service.yaml")["spec"]["template"]["metadata"]["annotations"]
    return own if app_id == "edge" else common | own


def test_kubernetes_takes_every_configuration_and_subscription() -> None:
    folders = ("config", "subscriptions")
    present = {f"{each}/{path.name}" for each in folders for path in (CHECKOUT / "dapr" / each).glob("*.yaml")}
    assert sorted(listed("dapr")) == sorted(present - NOT_OURS)


def test_kubernetes_takes_every_policy() -> None:
    assert sorted(listed("resiliency")) == sorted(path.name for path in (CHECKOUT / "resiliency").glob("*.yaml"))


def test_every_role_is_played_once() -> None:
    assert sorted([*(Path(name).stem for name in listed("components")), "secrets"]) == sorted(components())


def test_the_base_takes_the_files_themselves() -> None:
    assert load(BASE / "dapr/kustomization.yaml")["resources"] == [
        "../../../components", "../../../dapr", "../../../resiliency", "secrets.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize("app_id", APP_IDS)
def test_each_app_id_has_its_deployment_with_its_configuration(app_id: str) -> None:
    said = annotations(app_id)
    assert (said["dapr.io/app-id"], said["dapr.io/config"]) == (app_id, app_id)
    assert (said["dapr.io/max-body-size"], said["dapr.io/read-buffer-size"]) == (
        RUN["common"]["maxBodySize"], RUN["common"]["readBufferSize"],
    )  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
def test_ports_health_and_environment_are_the_run_files(service: str) -> None:
    app, said = APPS[service], annotations(service)
    assert int(said["dapr.io/app-port"]) == app["appPort"]
    assert said["dapr.io/app-protocol"] == RUN["common"]["appProtocol"]
    assert said["dapr.io/enable-app-health-check"] == str(app["enableAppHealthCheck"]).lower()
    assert said["dapr.io/app-health-check-path"] == app["appHealthCheckPath"]
    for note, field in {
        "dapr.io/app-health-probe-interval": "appHealthProbeInterval",
        "dapr.io/app-health-probe-timeout": "appHealthProbeTimeout",
        "dapr.io/app-health-threshold": "appHealthThreshold",
    }.items():
        assert int(said[note]) == app[field]
    [container] = load(BASE / service / "deployment.yaml")["spec"]["template"]["spec"]["containers"]
    given = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert int(given["APP_PORT"]) == container["ports"][0]["containerPort"] == app["appPort"]
    assert given.items() >= app.get("env", {}).items()


def test_the_door_has_no_app_and_no_grpc() -> None:
    assert "dapr.io/app-port" not in annotations("edge")
    [port] = load(BASE / "edge/service.yaml")["spec"]["ports"]
    assert port["targetPort"] == APPS["edge"]["daprHTTPPort"]


@pytest.mark.parametrize("folder", sorted(path.parent for path in (CHECKOUT / "k8s").glob("*/*/kustomization.yaml")))
def test_every_part_says_what_it_is_for(folder: Path) -> None:
    if folder.parent.name == "base":
        return
    assert (folder / "README.md").is_file(), folder


def test_the_injector_is_of_the_release_that_the_runtime_is() -> None:
    def pin(module: str) -> list[str]:
        lines = (CHECKOUT / module / "go.mod").read_text().splitlines()
        return [line.split()[1] for line in lines if line.strip().startswith("github.com/dapr/dapr ")]

    assert pin("tests/k8s/injector") == pin("dapr/runtime")


@pytest.mark.parametrize("service", SERVICES)
def test_a_sidecar_may_read_the_secrets_that_its_files_name(service: str) -> None:
    taken = [load(CHECKOUT / "components" / name) for name in listed("components")]
    entries = [entry for it in taken if service in it["scopes"] for entry in it["spec"].get("metadata", [])]
    named = {entry["secretKeyRef"]["name"] for entry in entries if "secretKeyRef" in entry}
    named |= set(load(CHECKOUT / f"dapr/config/{service}.yaml")["spec"]["secrets"]["scopes"][0]["allowedSecrets"])
    [role] = [it for it in yaml.safe_load_all((BASE / service / "account.yaml").read_text()) if it["kind"] == "Role"]
    assert role["rules"][0]["resourceNames"] == sorted(named)
    store = (CHECKOUT / "k8s/components/external-secrets/secrets.yaml").read_text()
    fetched = {it["metadata"]["name"] for it in yaml.safe_load_all(store)}
    assert named <= fetched


def test_every_alert_has_its_entry_in_the_runbook() -> None:
    rules = load(CHECKOUT / "k8s/components/monitoring/alerts.yaml")["spec"]["groups"][0]["rules"]
    headings = [
        line.removeprefix("## ") for line in (CHECKOUT / "docs/runbook.md").read_text().splitlines()
        if line.startswith("## ") and line[3:4].isupper() and " " not in line[3:]
    ]  # fmt: skip
    assert headings == [rule["alert"] for rule in rules]
    assert [rule["annotations"]["runbook_url"] for rule in rules] == [
        f"docs/runbook.md#{heading.lower()}" for heading in headings
    ]


def test_alerts_and_dashboards_speak_of_figures_that_exist() -> None:
    names = {gauge.name for service in SERVICES for gauge in (*metrics.OWN, *find(service).gauges)}
    names |= {"sidecart_database_up", "sidecart_published_total"}
    for path in sorted((CHECKOUT / "k8s/components/monitoring").glob("*.[jy]*")):
        told = set(re.findall(r"sidecart_[a-z_]+", path.read_text()))
        assert told <= names, (path.name, told - names)
