from pathlib import Path

import pytest

from stack import resources
from stack.apply import apply, effect, prepare
from stack.errors import StackError
from stack.home import CHECKOUT, Home

COMPONENT = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: clock}
spec: {type: bindings.cron, version: v1, metadata: [{name: schedule, value: "@every 10s"}]}
"""


def put(folder: Path, text: str, name: str = "new.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_file_of_the_same_kind_and_name_is_replaced_under_its_own_name(home: Home, tmp_path: Path) -> None:
    present = put(home.resources, COMPONENT, "the-clock.yaml")
    inode = present.stat().st_ino
    changed = COMPONENT.replace("10s", "5s")
    assert apply(home, put(tmp_path, changed)) == present
    assert present.read_text() == changed
    assert present.stat().st_ino != inode, "written in place: a sidecar may have read half of it"
    assert [path.name for path in home.resources.iterdir()] == ["the-clock.yaml"]


def test_a_new_name_gets_a_file_of_its_own_beside_another_kind_of_that_name(home: Home, tmp_path: Path) -> None:
    put(home.resources, COMPONENT, "clock.yaml")
    policy = (
        "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {name: clock}\nspec: {policies: {}, targets: {}}\n"
        "scopes: [orders]"
    )
    assert apply(home, put(tmp_path, policy)).name == "clock-resiliency.yaml"
    assert (home.resources / "clock.yaml").read_text() == COMPONENT


def test_a_configuration_goes_where_its_sidecar_reads_it(home: Home, tmp_path: Path) -> None:
    text = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: orders}\nspec: {mtls: {enabled: true}}"
    assert apply(home, put(tmp_path, text)) == home.config / "orders.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (COMPONENT.replace("Component", "Comport"), "new.yaml:2: kind is Comport; did you mean Component?"),
        (COMPONENT.replace("dapr.io/v1alpha1", "v1"), 'new.yaml:1: apiVersion is "v1"; it must be dapr.io/v1alpha1'),
        (COMPONENT.replace("name: clock", ""), "new.yaml:3: metadata.name is missing"),
        (COMPONENT.replace("name: clock", "name: ../clock"), 'new.yaml:3: metadata.name is "../clock"'),
        (COMPONENT.replace("type: bindings.cron, ", ""), "new.yaml:4: spec.type is missing"),
        (COMPONENT.partition("spec:")[0] + "spec: 3", "new.yaml:4: spec is 3; it must be fields below it"),
        (COMPONENT + "---\n" + COMPONENT, "new.yaml:6: a second document starts here"),
        ("", "new.yaml:1: holds no resource"),
        ("a: [", "no valid YAML"),
        (COMPONENT + "x: ${SIDECART_NOPE}", "is unknown"),
        (COMPONENT + "x: 1\ny: 2", "x is nothing that Component has; there are"),
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
    with pytest.raises(StackError, match=r"gone\.yaml:1: cannot be read: No such file"):
        apply(home, tmp_path / "gone.yaml")


def test_another_product_is_not_put_over_a_store_that_keeps_documents(home: Home, tmp_path: Path) -> None:
    resources.seed(home, reset=False)
    file = tmp_path / "order-details.yaml"
    file.write_text((CHECKOUT / "components/reference/order-details.yaml").read_text())
    with pytest.raises(StackError, match=r"lie in state\.postgresql: `sidecart state copy --to .*` moves them"):
        apply(home, file)
    file.write_text((CHECKOUT / "components/embedded/order-details.yaml").read_text())
    assert apply(home, file).name == "order-details.yaml"


def test_what_is_applied_before_the_first_start_takes_the_place_of_the_checkouts_file(
    home: Home, tmp_path: Path
) -> None:
    text = (
        (CHECKOUT / "resiliency/undelivered-policies.yaml")
        .read_text()
        .replace("undelivered-call: 5s", "undelivered-call: 7s")
    )
    prepare(home)
    target = apply(home, put(tmp_path, text))
    assert target.name == "undelivered-policies.yaml"
    # the first start leaves it, and puts no second one beside it
    assert resources.seed(home, reset=False) == ["resources/undelivered-policies.yaml"]
    held = [path for path in home.resources.iterdir() if "name: undelivered\n" in path.read_text()]
    assert target.read_text() == text
    assert sorted(path.name for path in held) == ["undelivered-policies.yaml", "undelivered.yaml"]


def test_it_is_said_who_reads_what_was_applied_and_from_when_on(home: Home, tmp_path: Path) -> None:
    everybody = effect(home, apply(home, put(tmp_path, COMPONENT)))
    assert everybody == f"nothing runs in {home.root}: every sidecar will read it from the next `sidecart up` on"
    scoped = apply(home, put(tmp_path, COMPONENT.replace("name: clock", "name: watch") + "scopes: [orders, users]\n"))
    assert "the sidecars of orders, users will read it" in effect(home, scoped)
    rules = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {name: orders}\nspec: {mtls: {enabled: true}}"
    assert "the sidecars of orders will read it" in effect(home, apply(home, put(tmp_path, rules)))
