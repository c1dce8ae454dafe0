"""Each overlay, sent to a real API server as `kubectl apply -k` would send it."""

from copy import deepcopy
from typing import Any

import pytest
import yaml

from tests.k8s.cluster import Cluster
from tests.k8s.conftest import OVERLAYS, Definitions
from tests.k8s.crds import PUBLISHED

Documents = list[dict[str, Any]]


def group_of(document: dict[str, Any]) -> str:
    return str(document["apiVersion"]).rpartition("/")[0]


def make_room(cluster: Cluster) -> None:
    """Take away the migrations of an earlier release, as docs/kubernetes.md says: a job's template never changes."""
    cluster.run("delete", "jobs", "--all-namespaces", "-l", "sidecart.dev/kind=migration", "--wait=false")


@pytest.mark.parametrize("group", PUBLISHED)
def test_the_definitions_can_be_had(definitions: Definitions, group: str) -> None:
    if group in definitions.missing:
        pytest.skip(f"not run: {definitions.missing[group]}")
    assert group in definitions.known


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_accepted_whole(
    cluster: Cluster, definitions: Definitions, rendered: dict[str, Documents], overlay: str
) -> None:
    documents = [each for each in rendered[overlay] if group_of(each) not in definitions.missing]
    make_room(cluster)
    done = cluster.apply(yaml.safe_dump_all(documents))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(documents)
    assert "Warning" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    "kind", ["Deployment", "ScaledObject", "Cluster", "Resiliency", "Subscription", "PrometheusRule"]
)
def test_a_slip_in_a_field_is_refused(
    cluster: Cluster, definitions: Definitions, rendered: dict[str, Documents], kind: str
) -> None:
    document = deepcopy(next(each for each in rendered["production"] if each["kind"] == kind))
    if group_of(document) in definitions.missing:
        pytest.skip(f"not run: {definitions.missing[group_of(document)]}")
    document["spec"]["replicaz"] = 1
    done = cluster.apply(yaml.safe_dump(document), "--dry-run=server")
    assert done.returncode != 0
    assert "replicaz" in done.stderr


def test_a_second_apply_changes_nothing(
    cluster: Cluster, definitions: Definitions, rendered: dict[str, Documents]
) -> None:
    documents = [each for each in rendered["production"] if group_of(each) not in definitions.missing]
    make_room(cluster)
    assert cluster.apply(yaml.safe_dump_all(documents)).returncode == 0
    deployments = cluster.get("deployments", "-n", "sidecart")["items"]
    before = {each["metadata"]["name"]: each["metadata"]["generation"] for each in deployments}
    assert cluster.apply(yaml.safe_dump_all(documents)).returncode == 0
    again = cluster.get("deployments", "-n", "sidecart")["items"]
    assert {each["metadata"]["name"]: each["metadata"]["generation"] for each in again} == before
