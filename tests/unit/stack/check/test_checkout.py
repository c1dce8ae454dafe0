import shutil
from pathlib import Path

import pytest

from stack.check import checkout
from stack.home import CHECKOUT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The checkout's files, with a second profile that is the first."""
    for folder in ("components", "dapr", "resiliency"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder)
    for profile in checkout.profiles(tmp_path):
        if profile != checkout.DEFAULT:
            shutil.rmtree(tmp_path / "components" / profile)
    shutil.copytree(tmp_path / "components" / "embedded", tmp_path / "components" / "other")
    return tmp_path


def told(folder: Path) -> list[str]:
    return [str(finding).removeprefix(f"{folder}/") for finding in checkout.findings(folder)]


def test_the_profiles_are_the_folders_with_the_default_first(copy: Path) -> None:
    assert checkout.profiles(copy) == ["embedded", "other"]
    assert told(copy) == []


def test_a_profile_that_lacks_what_another_offers_is_found(copy: Path) -> None:
    (copy / "components" / "other" / "undelivered.yaml").unlink()
    gone, *besides = told(copy)
    assert gone == "components/other/undelivered.yaml:1: not there, and embedded offers undelivered; add it"
    assert len(besides) == 1, "its policy aims at nothing under that profile"


def test_a_profile_that_serves_others_than_another_does_is_found(copy: Path) -> None:
    path = copy / "components" / "other" / "secrets.yaml"
    path.write_text(path.read_text().replace("[users, orders,", "[orders,"))
    assert told(copy)[-1].startswith(
        "components/other/secrets.yaml:12: secrets is for orders, payments, notifications, in"
    )


def test_a_slip_in_one_profile_is_found_once_and_in_that_profile(copy: Path) -> None:
    path = copy / "components" / "other" / "push.yaml"
    path.write_text(path.read_text().replace("SIDECART_PUSH_URL", "SIDECART_PUSH_LRU"))
    (only,) = told(copy)
    assert only.startswith("components/other/push.yaml:11: no sidecar is told 'SIDECART_PUSH_LRU'")


def test_a_placeholder_that_the_stack_does_not_fill_in_is_found_on_its_line(copy: Path) -> None:
    path = copy / "components" / "other" / "card-processor.yaml"
    path.write_text(path.read_text().replace("PROCESSOR_URL", "PROCESSOR_ADDRESS"))
    (only,) = told(copy)
    assert only.startswith(
        "components/other/card-processor.yaml:8: ${SIDECART_CARD_PROCESSOR_ADDRESS} is unknown; there are"
    )
