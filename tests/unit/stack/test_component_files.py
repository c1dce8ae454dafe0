from pathlib import Path

import pytest
import yaml

from stack import component_files
from stack.errors import StackError
from stack.home import CHECKOUT, Home

STORE = (CHECKOUT / "components/embedded/order-details.yaml").read_text()
POSTGRESQL = STORE[STORE.index("type: ") : STORE.index("    - name: connectionString")]
HTTP = "type: bindings.http\n  version: v1\n  metadata:\n    - name: url\n      value: http://127.0.0.1\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", 0)
    home.make_directories()
    return home


def test_a_component_keeps_its_comments_under_another_name() -> None:
    renamed = component_files.named(STORE, "order-details-next", tolerant=True)
    document = yaml.safe_load(renamed)
    assert (document["metadata"]["name"], document["spec"]["ignoreErrors"]) == ("order-details-next", True)
    assert [line for line in STORE.splitlines() if "#" in line] == [
        line for line in renamed.splitlines() if "#" in line and "ignoreErrors" not in line
    ]
    assert component_files.named(renamed, "order-details") == STORE


@pytest.mark.parametrize(
    "text",
    [
        "{kind: Component, apiVersion: dapr.io/v1alpha1, metadata: {name: a}, spec: {type: state.redis, version: v1}}",
        "kind: Component\nmetadata: {name: a}\nspec:\n  type: state.redis\n",
    ],
)
def test_a_file_whose_name_stands_elsewhere_is_refused_rather_than_spoilt(text: str) -> None:
    with pytest.raises(StackError, match="on lines of their own"):
        component_files.named(text, "b", tolerant=True)


def test_a_component_is_found_by_its_name_whatever_its_file(home: Home) -> None:
    (home.resources / "anything.yaml").write_text(STORE)
    (home.resources / "broken.yaml").write_text("kind: [")
    assert component_files.holder(home, "order-details") == home.resources / "anything.yaml"
    assert component_files.holder(home, "order-details-next") is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("name: order-details", "name: another"), "must be Component order-details"),
        ((POSTGRESQL, HTTP), "need a state store"),
        (("    - name: maxConns", "    - name: keyPrefix\n      value: name\n    - name: maxConns"), "lose every key"),
        (("kind: Component", "kind: Secret"), "kind is Secret"),
    ],
)
def test_what_cannot_take_the_role_is_refused(
    change: tuple[str, str], complaint: str, home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "store.yaml"
    file.write_text(STORE.replace(*change, 1))
    with pytest.raises(StackError, match=complaint):
        component_files.read_store(home, file, "order-details")
