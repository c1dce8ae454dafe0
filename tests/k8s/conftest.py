from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack.errors import StackError
from tests.k8s.cluster import Cluster, kustomized, started
from tests.k8s.crds import PUBLISHED
from tests.k8s.go_programs import built
from tests.support.documents import CHECKOUT

OVERLAYS = ("development", "production")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.k8s)
            item.add_marker(pytest.mark.timeout(1500))  # the first run builds an API server


@pytest.fixture(scope="session")
def programs() -> Path:
    try:
        return built("apiserver", "kube-apiserver", "kubectl")
    except (LookupError, StackError) as error:
        pytest.skip(f"not run: {error}")


@pytest.fixture(scope="session")
def bare_cluster(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    try:
        with started(programs, tmp_path_factory.mktemp("cluster")) as cluster:
            yield cluster
    except StackError as error:
        pytest.skip(f"not run: {error}")


@dataclass(frozen=True)
class Definitions:
    """Which API groups the cluster knows, and why it does not know the others."""

    known: frozenset[str]
    missing: dict[str, str]


@pytest.fixture(scope="session")
def definitions(bare_cluster: Cluster) -> Definitions:
    """Install every definition that can be had."""
    missing: dict[str, str] = {}
    files: list[Path] = []
    for group, published in PUBLISHED.items():
        try:
            files += published.paths()
        except LookupError as error:
            missing[group] = str(error)
    named = [part for file in files for part in ("-f", str(file))]
    done = bare_cluster.run("apply", "--server-side", *named)
    assert done.returncode == 0, done.stderr
    done = bare_cluster.run("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    assert done.returncode == 0, done.stderr
    return Definitions(frozenset(PUBLISHED) - missing.keys(), missing)


@pytest.fixture(scope="session")
def cluster(bare_cluster: Cluster, definitions: Definitions) -> Cluster:
    assert definitions.known
    return bare_cluster


@pytest.fixture(scope="session")
def rendered(programs: Path) -> dict[str, list[dict[str, Any]]]:
    """Return each overlay's documents as `kubectl apply -k` would send them."""
    folder = CHECKOUT / "k8s/overlays"
    return {name: list(yaml.safe_load_all(kustomized(programs / "kubectl", folder / name))) for name in OVERLAYS}
