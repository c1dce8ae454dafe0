from collections.abc import Callable
from pathlib import Path

import pytest

from stack import resources
from stack.errors import StackError
from stack.home import Home

Put = Callable[[str, str], Path]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Write a file into a checkout of our own."""
    monkeypatch.setattr(resources, "CHECKOUT", tmp_path / "checkout")

    def write(name: str, text: str) -> Path:
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def test_resources_lie_flat_and_configurations_apart(home: Home, put: Put) -> None:
    put("components/embedded/pubsub.yaml", "a: 1")
    put("resiliency/email-policies.yaml", "b: 1")
    put("dapr/config/orders.yaml", "c: 1")
    assert resources.seed(home, reset=False) == []
    assert {path.name for path in home.resources.iterdir()} == {"pubsub.yaml", "email-policies.yaml"}
    assert (home.config / "orders.yaml").read_text() == "c: 1"


def test_an_untouched_file_follows_the_checkout_and_goes_with_it(home: Home, put: Put) -> None:
    source = put("components/embedded/pubsub.yaml", "a: 1")
    resources.seed(home, reset=False)
    source.write_text("a: 2")
    resources.seed(home, reset=False)
    assert (home.resources / "pubsub.yaml").read_text() == "a: 2"
    source.unlink()
    resources.seed(home, reset=False)
    assert not (home.resources / "pubsub.yaml").exists()


def test_a_hand_edit_and_a_file_of_the_operators_own_survive_until_reset(home: Home, put: Put) -> None:
    put("components/embedded/pubsub.yaml", "a: 1")
    resources.seed(home, reset=False)
    (home.resources / "pubsub.yaml").write_text("a: edited")
    (home.resources / "mine.yaml").write_text("m: 1")
    put("components/embedded/pubsub.yaml", "a: 2")
    assert resources.seed(home, reset=False) == ["resources/pubsub.yaml"]
    assert (home.resources / "pubsub.yaml").read_text() == "a: edited"
    assert (home.resources / "mine.yaml").exists()
    assert resources.seed(home, reset=True) == []
    assert (home.resources / "pubsub.yaml").read_text() == "a: 2"
    assert not (home.resources / "mine.yaml").exists()


def test_a_file_removed_by_hand_stays_away(home: Home, put: Put) -> None:
    put("components/embedded/sms.yaml", "a: 1")
    resources.seed(home, reset=False)
    (home.resources / "sms.yaml").unlink()
    assert resources.seed(home, reset=False) == ["resources/sms.yaml"]
    assert not (home.resources / "sms.yaml").exists()


def test_addresses_are_filled_in_except_in_comments(home: Home) -> None:
    text = "# ${SIDECART_ANYTHING}\nbaseUrl: ${SIDECART_CARD_PROCESSOR_URL}\nfile: ${SIDECART_HOME}/run/names.db"
    filled = resources.fill_in(home, text, "x.yaml")
    assert filled == (f"# ${{SIDECART_ANYTHING}}\nbaseUrl: http://127.0.0.1:9030\nfile: {home.root}/run/names.db")


def test_an_unknown_placeholder_is_named(home: Home) -> None:
    with pytest.raises(StackError, match=r"^x\.yaml: \$\{SIDECART_NOPE\} is unknown"):
        resources.fill_in(home, "a: ${SIDECART_NOPE}", "x.yaml")


def test_two_folders_with_one_file_name_are_refused(home: Home, put: Put) -> None:
    put("components/embedded/email.yaml", "a: 1")
    put("resiliency/email.yaml", "b: 1")
    with pytest.raises(StackError, match="another folder has a file of this name"):
        resources.seed(home, reset=False)
