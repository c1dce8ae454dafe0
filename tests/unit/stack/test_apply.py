from pathlib import Path

import pytest

from stack.apply import apply
from stack.errors import StackError
from stack.home import Home

COMPONENT = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: pubsub}
spec: {type: pubsub.redis, version: v1}
"""


def put(folder: Path, text: str, name: str = "new.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_file_of_the_same_kind_and_name_is_replaced_under_its_own_name(home: Home, tmp_path: Path) -> None:
    present = put(home.resources, COMPONENT, "the-broker.yaml")
    inode = present.stat().st_ino
    changed = COMPONENT.replace("pubsub.redis", "pubsub.rabbitmq")
    assert apply(home, put(tmp_path, changed)) == present
    assert present.read_text() == changed
    assert present.stat().st_ino != inode, "written in place: a sidecar may have read half of it"
    assert [path.name for path in home.resources.iterdir()] == ["the-broker.yaml"]


def test_a_new_name_gets_a_file_of_its_own_beside_another_kind_of_that_name(home: Home, tmp_path: Path) -> None:
    put(home.resources, COMPONENT, "pubsub.yaml")
    policy = (
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: pubsub}\nspec: {policies: {}, targets: {}}"
    )
    assert apply(home, put(tmp_path, policy)).name == "pubsub-resiliency.yaml"
    assert (home.resources / "pubsub.yaml").read_text() == COMPONENT


def test_a_configuration_goes_where_its_sidecar_reads_it(home: Home, tmp_path: Path) -> None:
    text = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: orders}\nspec: {mtls: {}}"
    assert apply(home, put(tmp_path, text)) == home.config / "orders.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (COMPONENT.replace("Component", "Comport"), "kind is 'Comport'"),
        (COMPONENT.replace("dapr.io/v1alpha1", "v1"), "apiVersion is 'v1'"),
        (COMPONENT.replace("name: pubsub", "nam: pubsub"), "metadata.name is None"),
        (COMPONENT.replace("name: pubsub", "name: ../pubsub"), "metadata.name is '../pubsub'"),
        (COMPONENT.replace("type: pubsub.redis, ", ""), "spec.type is missing"),
        (COMPONENT.replace("spec: {type: pubsub.redis, version: v1}", "spec: 3"), "is missing"),
        (COMPONENT + "---\n" + COMPONENT, "exactly one YAML document"),
        ("", "exactly one YAML document"),
        ("a: [", "no valid YAML"),
        (COMPONENT + "x: ${SIDECART_NOPE}", "is unknown"),
    ],
)
def test_what_a_sidecar_would_choke_on_is_refused_in_one_line(home: Home, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StackError) as refused:
        apply(home, put(tmp_path, text))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(home.resources.iterdir()) == []


def test_a_name_held_twice_is_refused_and_both_holders_named(home: Home, tmp_path: Path) -> None:
    put(home.resources, COMPONENT, "a.yaml")
    put(home.resources, COMPONENT, "b.yaml")
    with pytest.raises(StackError, match=r"a\.yaml and .*b\.yaml"):
        apply(home, put(tmp_path, COMPONENT))


def test_a_missing_file_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"gone\.yaml cannot be read"):
        apply(home, tmp_path / "gone.yaml")
