from pathlib import Path

import pytest
from typer.testing import CliRunner

from stack import resources, secrets_file
from stack.cli import app
from stack.home import CHECKOUT, Home


@pytest.fixture
def seeded(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    secrets_file.ensure(home)
    resources.seed(home, reset=False)
    monkeypatch.setenv("SIDECART_HOME", str(home.root))
    monkeypatch.setenv("SIDECART_PORT_OFFSET", str(home.offset))
    return home


def run(*arguments: str | Path) -> tuple[list[str], str]:
    """Return the lines that `sidecart check` prints, and how it ends."""
    done = CliRunner().invoke(app, ["check", *map(str, arguments)])
    return done.stdout.splitlines(), str(done.exception or "")


@pytest.mark.usefixtures("seeded")
def test_the_checkout_is_sound_and_said_to_be_by_silence() -> None:
    assert run() == ([], "")
    assert run(CHECKOUT / "resiliency", CHECKOUT / "components" / "embedded" / "sms.yaml") == ([], "")


def test_the_running_files_are_checked_where_asked(seeded: Home) -> None:
    assert run("--running") == ([], "")
    path = seeded.resources / "sms.yaml"
    path.write_text(path.read_text().replace("version: v1", "version: v9"))
    said = f"{path}:8: bindings.http has no version v9; there are v1"
    assert run("--running") == ([said], "1 to repair")
    assert run(path) == ([said], "1 to repair")
    assert run(seeded.resources / "push.yaml") == ([], "")
    assert run() == ([], "")


def test_a_file_from_elsewhere_is_checked_as_if_it_were_applied(seeded: Home, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = (seeded.resources / "sms.yaml").read_text()
    path.write_text(text)
    assert run(path) == ([], "")
    path.write_text(text.replace("name: sms-token,", "name: sms-tokn,"))
    assert run(path) == ([f"{path}:16: there is no secret sms-tokn; did you mean sms-token?"], "1 to repair")
    assert run(tmp_path)[1] == "1 to repair"


@pytest.mark.usefixtures("seeded")
def test_a_file_that_came_with_a_run_file_is_checked_in_that_company(tmp_path: Path) -> None:
    app = "{appID: guest, daprHTTPPort: 3507, daprGRPCPort: 4507, daprInternalGRPCPort: 5507, metricsPort: 9507}"
    (tmp_path / "dapr.yaml").write_text(f"version: 1\ncommon: {{resourcesPaths: [resources]}}\napps: [{app}]\n")
    (tmp_path / "resources").mkdir()
    path = tmp_path / "resources" / "pubsub.yaml"
    text = (CHECKOUT / "components" / "embedded" / "secrets.yaml").read_text()
    path.write_text(
        text.replace("[users, orders, payments, notifications]", "[guest]").replace("name: secrets\n", "name: pubsub\n")
    )
    assert run(tmp_path) == ([], "")
    path.write_text(path.read_text().replace("[guest]", "[gust]"))
    assert run(path) == ([f"{path}:12: gust is no app-id; did you mean guest?"], "1 to repair")


@pytest.mark.usefixtures("seeded")
def test_what_cannot_be_asked_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone.yaml"
    assert run(gone) == ([f"{gone}:1: cannot be read: No such file or directory; repair or remove it"], "1 to repair")
    (tmp_path / "empty").mkdir()
    assert "holds nothing that a sidecar reads" in run(tmp_path / "empty")[1]
    assert run("--running", gone) == ([], "give paths or --running, not both")


def test_a_system_that_never_started_is_said_to_have_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECART_HOME", str(home.root))
    assert run("--running") == ([], f"nothing in {home.resources} yet: `sidecart up` puts it there")
