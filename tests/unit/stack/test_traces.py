from pathlib import Path

import pytest
import yaml

from stack import environment, traces
from stack.errors import StackError
from stack.home import CHECKOUT, Home

CONFIGURATIONS = sorted((CHECKOUT / "dapr/config").glob("*.yaml"))
SIDECARS = [path for path in CONFIGURATIONS if path.stem != "sentry"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "run").mkdir()
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER_ARG"):
        monkeypatch.delenv(name, raising=False)
    return Home(root=tmp_path, offset=0)


def tracing(home: Home, path: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(traces.told(home, path.stem, path.read_text()))["spec"]["tracing"]
    return found


@pytest.mark.parametrize("path", SIDECARS, ids=lambda path: path.stem)
def test_without_a_collector_a_configuration_is_what_the_checkout_says(home: Home, path: Path) -> None:
    traces.remember_given(home)
    assert traces.told(home, path.stem, path.read_text()) == path.read_text()
    assert traces.environment(home) == {}


@pytest.mark.parametrize("path", SIDECARS, ids=lambda path: path.stem)
def test_with_one_the_edge_draws_and_services_join(home: Home, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318/")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.1")
    traces.remember_given(home)
    found = tracing(home, path)
    assert found["otel"] == {"endpointAddress": "localhost:4318", "isSecure": False, "protocol": "http"}
    share = float(str(found["samplingRate"]))
    assert share == 0.1 if path.stem in ("edge", "partner") else 0 < share < 1e-6


def test_replicas_that_another_shell_starts_know_the_collector_and_no_other(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318")
    traces.remember_given(home)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://another:4318")
    assert environment.common(home)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://collector.example:4318"


@pytest.mark.parametrize(
    ("endpoint", "share"),
    [("localhost:4318", "1"), ("grpc://localhost:4317", "1"), ("http://h:4318", "ten"), ("http://h:4318", "1.5")],
)
def test_what_cannot_be_meant_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch, endpoint: str, share: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    with pytest.raises(StackError, match="write "):
        traces.remember_given(home)
