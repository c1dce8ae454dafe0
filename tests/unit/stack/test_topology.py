from pathlib import Path

import pytest

from stack import topology
from stack.errors import StackError

APP = """
  - appID: orders
    appPort: 8002
    daprHTTPPort: 3502
    daprGRPCPort: 4502
    daprInternalGRPCPort: 5502
    metricsPort: 9502
    command: [python, -m, apps.chassis.serve, orders]
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "dapr.yaml"
    file.write_text(text)
    return file


def test_what_an_app_states_wins_over_what_is_common(tmp_path: Path) -> None:
    common = "common:\n  logLevel: info\n  appProtocol: http\n  env: {A: one, B: two}\n"
    text = f"version: 1\n{common}apps:{APP}    logLevel: debug\n    env: {{B: three}}\n"
    [app] = topology.load(write(tmp_path, text)).apps
    assert (app.log_level, app.app_protocol) == ("debug", "http")
    assert app.env == {"A": "one", "B": "three"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("appPort: 8002", "appPort: eighty", "apps.0.appPort"),
        ("appPort: 8002", "appPort: 70000", "apps.0.appPort"),
        ("appPort: 8002\n", "\n", "appPort and command belong together"),
        ("metricsPort: 9502", "metrcsPort: 9502", "apps.0.metr"),
        ("metricsPort: 9502", "metricsPort: 8002", "apps.orders.metricsPort: 8002 is already apps.orders.appPort"),
        ("appID: orders", "appID: Orders!", "apps.0.appID"),
        ("- appID", "- : appID: [", "no valid YAML"),
    ],
)
def test_a_mistake_is_named_with_file_and_field_in_one_line(tmp_path: Path, before: str, after: str, said: str) -> None:
    file = write(tmp_path, f"version: 1\napps:{APP.replace(before, after)}")
    with pytest.raises(StackError) as refused:
        topology.load(file)
    assert str(refused.value).startswith(str(file))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"dapr\.yaml: No such file"):
        topology.load(tmp_path / "dapr.yaml")


def test_an_unknown_app_id_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"'order'.* it has orders"):
        topology.load(write(tmp_path, f"version: 1\napps:{APP}")).app("order")


def test_the_checkouts_own_topology_has_a_bare_edge_and_four_services() -> None:
    ours = topology.load()
    assert [app.app_id for app in ours.services] == ["users", "orders", "payments", "notifications"]
    assert ours.app("edge").command == []
