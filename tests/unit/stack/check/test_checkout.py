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


def test_what_a_profile_does_not_bring_is_the_defaults(copy: Path) -> None:
    (copy / "components" / "other" / "undelivered.yaml").unlink()
    assert told(copy) == []
    assert copy / "components" / "embedded" / "undelivered.yaml" in checkout.files("other", copy)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "said"),
    [
        (
            "sms.yaml",
            "name: sms\n",
            "name: smss\n",
            ":5: embedded has no smss to put this in place of; did you mean sms?",
        ),
        (
            "sms.yaml",
            "[notifications]",
            "[notifications, users]",
            ":21: sms is for notifications, users, in embedded for n",
        ),
        (
            "undelivered.yaml",
            "state.redis",
            "pubsub.redis",
            ":7: undelivered is of kind pubsub, in embedded of kind state",
        ),
    ],
)
def test_what_a_swap_would_take_away_is_found(copy: Path, name: str, right: str, wrong: str, said: str) -> None:
    path = copy / "components" / "other" / name
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong, 1))
    assert any(each.startswith(f"components/other/{name}{said}") for each in told(copy)), told(copy)


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


RUN_FILE = """
version: 1
common: {resourcesPaths: [resources]}
apps:
  - {appID: guest, daprHTTPPort: 3507, daprGRPCPort: 4507, daprInternalGRPCPort: 5507, metricsPort: 9507}
"""
POLICY = """# For a guest alone.
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: {name: guest}
spec:
  policies: {timeouts: {ask: 3s}}
  targets: {apps: {orders: {timeout: ask}}}
scopes: [guest]
"""


def test_who_joins_by_a_run_file_of_its_own_has_a_set_of_its_own(copy: Path) -> None:
    folder = copy / "examples" / "guest" / "resources"
    folder.mkdir(parents=True)
    (folder.parent / "dapr.yaml").write_text(RUN_FILE)
    (folder / "guest.yaml").write_text(POLICY)
    assert told(copy) == []
    (folder / "guest.yaml").write_text(POLICY.replace("timeout: ask", "timeout: aks"))
    assert told(copy)[0].startswith("examples/guest/resources/guest.yaml:6: no target of this file uses ask")
    assert told(copy)[1].startswith("examples/guest/resources/guest.yaml:7: guest would have no policy aks")
