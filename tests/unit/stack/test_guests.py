"""What is refused to those who would join, before anything of theirs is started."""

from pathlib import Path

import pytest

from stack import guests, topology
from stack.errors import StackError
from stack.home import Home
from stack.program import Check, Program
from stack.progress import Progress
from stack.secrets_file import ensure
from tests.support.documents import CHECKOUT

APP = """version: 1
common:
  resourcesPaths: [resources]
apps:
  - appID: guest
    appDirPath: .
    appPort: 8009
    daprHTTPPort: 3509
    daprGRPCPort: 4509
    daprInternalGRPCPort: 5509
    metricsPort: 9509
    command: [python, app.py]
"""
BROKER = """apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: pubsub}
spec: {type: pubsub.redis, version: v1, metadata: [{name: redisHost, value: "127.0.0.1:6379"}]}
"""


@pytest.fixture
def system(home: Home) -> Home:
    """A home in which one sidecar is said to run."""
    ensure(home)
    check = Check(via="http", port=4500)
    for app_id in ("edge", "orders"):
        Program(
            name=f"{app_id}-daprd", kind="sidecar", argv=["/bin/daprd"], env={"APP_ID": app_id}, ports={}, check=check
        ).write(home)
    return home


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """A run file's folder with a broker of the guest's own."""
    folder = tmp_path / "guest"
    (folder / "resources").mkdir(parents=True)
    (folder / "dapr.yaml").write_text(APP)
    (folder / "resources" / "pubsub.yaml").write_text(BROKER)
    return folder


def refusal(home: Home, folder: Path) -> str:
    with pytest.raises(StackError) as refused:
        guests.join(home, folder, Progress())
    assert "\n" not in str(refused.value)
    return str(refused.value)


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_a_name_that_is_taken_is_refused(system: Home, guest: Path) -> None:
    change(guest / "dapr.yaml", "appID: guest", "appID: orders")
    assert refusal(system, guest) == "orders is here already: `sidecart leave orders` first"


def test_a_program_that_is_not_installed_is_named(system: Home, guest: Path) -> None:
    change(guest / "dapr.yaml", "[python, app.py]", "[no-such-program, app.js]")
    assert "apps.guest.command: no-such-program is not on PATH: install it" in refusal(system, guest)


def test_a_file_that_no_sidecar_could_read_is_named(system: Home, guest: Path) -> None:
    change(guest / "resources" / "pubsub.yaml", "kind: Component", "kind: Komponent")
    assert refusal(system, guest).startswith(f"{guest}/resources/pubsub.yaml:2: kind is Komponent")


def test_another_broker_than_the_systems_is_refused_since_it_would_hear_nothing(system: Home, guest: Path) -> None:
    (system.resources / "pubsub.yaml").write_text(BROKER.replace("pubsub.redis", "pubsub.rabbitmq"))
    said = refusal(system, guest)
    assert "pubsub is pubsub.redis here and pubsub.rabbitmq in the running system" in said


def test_an_unknown_app_id_is_answered_with_those_there_are(system: Home) -> None:
    with pytest.raises(StackError, match=r"no app-id 'nobody' here: there are edge, orders"):
        guests.addresses(system, "nobody")


@pytest.mark.parametrize("name", ["partner", "loyalty", "observer"])
def test_what_a_guest_starts_has_a_token_and_watches_its_own_folder_alone(system: Home, name: str) -> None:
    sidecar = guests.programs(system, topology.load(CHECKOUT / "examples" / name / "dapr.yaml"))[-1]
    watched = [argument.partition("=")[2] for argument in sidecar.argv if argument.startswith("--resources-path=")]
    assert watched == ([] if name == "partner" else [str(CHECKOUT / "examples" / name / "resources")])
    assert len(sidecar.env["DAPR_API_TOKEN"]) == 64
    assert {"--enable-mtls=true", f"--app-id={name}", f"--config={system.config}/{name}.yaml"} <= set(sidecar.argv)
