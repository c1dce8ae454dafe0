from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.documents import APP_IDS, CHECKOUT, SERVICES

# app-id: app, sidecar HTTP, gRPC, internal gRPC, metrics
PORTS = {
    "edge": (None, 3500, 4500, 5500, 9500),
    "users": (8001, 3501, 4501, 5501, 9501),
    "orders": (8002, 3502, 4502, 5502, 9502),
    "payments": (8003, 3503, 4503, 5503, 9503),
    "notifications": (8004, 3504, 4504, 5504, 9504),
}
FOLDER = CHECKOUT / "dapr"


def load(name: str) -> Any:
    return yaml.safe_load((CHECKOUT / name).read_text())


APPS: dict[str, dict[str, Any]] = {app["appID"]: app for app in load("dapr/dapr.yaml")["apps"]}
TYE = load("tye.yaml")


def test_the_run_file_names_each_app_once() -> None:
    assert [app["appID"] for app in load("dapr/dapr.yaml")["apps"]] == list(APP_IDS)


@pytest.mark.parametrize("app_id", APP_IDS)
def test_ports_are_the_published_ones(app_id: str) -> None:
    keys = ("appPort", "daprHTTPPort", "daprGRPCPort", "daprInternalGRPCPort", "metricsPort")
    assert tuple(APPS[app_id].get(key) for key in keys) == PORTS[app_id]


@pytest.mark.parametrize("app_id", APP_IDS)
def test_each_sidecar_has_a_configuration_of_its_own_name(app_id: str) -> None:
    path = FOLDER / APPS[app_id]["configFilePath"]
    assert yaml.safe_load(path.read_text())["metadata"]["name"] == app_id


def test_every_folder_of_resources_is_named_and_exists() -> None:
    folders = [(FOLDER / folder).resolve() for folder in load("dapr/dapr.yaml")["common"]["resourcesPaths"]]
    assert folders == [CHECKOUT / "components/embedded", CHECKOUT / "dapr/subscriptions", CHECKOUT / "resiliency"]


def test_only_loopback_is_listened_on() -> None:
    assert load("dapr/dapr.yaml")["common"]["apiListenAddresses"] == "127.0.0.1"
    assert not any("apiListenAddresses" in app for app in APPS.values())


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_runs_from_the_checkout_and_is_watched(service: str) -> None:
    app = APPS[service]
    assert app["command"] == ["python", "-m", "apps.chassis.serve", service]
    assert (FOLDER / app["appDirPath"]).resolve() == CHECKOUT
    assert (app["enableAppHealthCheck"], app["appHealthCheckPath"]) == (True, "/healthz")


def test_the_edge_is_a_sidecar_alone() -> None:
    assert not {"appPort", "command", "enableAppHealthCheck"} & APPS["edge"].keys()


def test_tye_names_the_same_services_ports_and_commands() -> None:
    said = {
        service["name"]: (service["bindings"], f"{service['executable']} {service['args']}")
        for service in TYE["services"]
    }
    assert said == {
        name: ([{"port": APPS[name]["appPort"], "protocol": "http"}], " ".join(APPS[name]["command"]))
        for name in SERVICES
    }


def test_tye_gives_each_sidecar_the_same_ports_and_configuration() -> None:
    assert TYE["extensions"][0]["services"] == {
        name: {
            "app-id": name,
            "config": f"dapr/{APPS[name]['configFilePath']}",
            "http-port": APPS[name]["daprHTTPPort"],
            "grpc-port": APPS[name]["daprGRPCPort"],
            "metrics-port": APPS[name]["metricsPort"],
        }
        for name in SERVICES
    }


CONFIGURATIONS = [
    path
    for path in sorted([*FOLDER.glob("config/*.yaml"), *CHECKOUT.glob("examples/*/config/*.yaml")])
    if path.stem != "sentry"  # it names nobody
]


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.stem)
def test_a_name_lasts_from_renewal_to_renewal_and_is_never_cleaned_away(path: Path) -> None:
    naming = yaml.safe_load(path.read_text())["spec"]["nameResolution"]["configuration"]
    good_for, margin = (int(naming[field].removesuffix("s")) for field in ("updateInterval", "timeout"))
    # it is renewed `timeout` before it lapses, and ages are told in whole seconds
    assert margin >= 3
    assert 1 < good_for - margin < 10
    assert int(naming["cleanupInterval"].removesuffix("h")) > 1_000
