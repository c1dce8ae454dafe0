"""A wrong value in a setting, a component or a secret: `sidecart up` ends with one line that names it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import resources, secrets_file
from stack.home import CHECKOUT, Home
from stack.topology import DEFAULT_FILE
from tests.support.system import System


class Unborn(System):
    """A system with home and ports whose `up` is left to the test."""

    def up(self, *options: str) -> None:
        """Leave it."""

    @property
    def home(self) -> Home:
        return Home(root=self.root, offset=self.offset)

    def refusal(self) -> str:
        """Try to start, and return the one line that says why not."""
        done = self.sidecart("up", "--detach", "--file", str(self.file), check=False)
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        [line] = done.stderr.splitlines()
        return line.removeprefix("sidecart: ")


def topology(folder: Path, app_id: str, **env: str) -> Path:
    """Write a topology of one service, told *env* besides."""
    file: dict[str, Any] = yaml.safe_load(DEFAULT_FILE.read_text())
    [app] = [app for app in file["apps"] if app["appID"] == app_id]
    app |= {"appDirPath": str(CHECKOUT), "env": {**app.get("env", {}), **env}}
    (folder / "dapr.yaml").write_text(yaml.safe_dump({**file, "apps": [app]}))
    return folder / "dapr.yaml"


@pytest.fixture
def unborn(tmp_path: Path) -> Iterator[Unborn]:
    """Users alone, with secrets and resources in place and right so far."""
    with Unborn(topology(tmp_path, "users")) as system:
        system.home.make_directories()
        secrets_file.ensure(system.home)
        resources.seed(system.home, reset=False)
        yield system


def test_a_setting_of_a_service(tmp_path: Path) -> None:
    with Unborn(topology(tmp_path, "users", USERS_DATABASE_POOL="many")) as system:
        line = system.refusal()
    assert "setting USERS_DATABASE_POOL" in line
    assert "users" in line
    assert "many" not in line, "what was set might be a secret"


def test_a_setting_of_the_topology(tmp_path: Path) -> None:
    file = topology(tmp_path, "users")
    with Unborn(file) as system:
        file.write_text(file.read_text().replace("appPort: 8001", "appPort: eighty"))
        assert "dapr.yaml: apps.0.appPort: " in system.refusal()


@pytest.mark.parametrize(
    ("key", "value"), [("users-signing-kek", "c2hvcnQ="), ("users-database-url", "mysql://x"), ("app-api-token", "")]
)
def test_a_secret(key: str, value: str, unborn: Unborn) -> None:
    secrets = secrets_file.load(unborn.home)
    unborn.home.secrets.write_text(json.dumps(secrets | {key: value}))
    line = unborn.refusal()
    assert line.startswith(f"{unborn.home.secrets}: {key} ")
    assert not value or value not in line


COMPONENTS = {
    "no YAML": ("spec:\n", "spec: [\n", "pubsub.yaml:8: no valid YAML"),
    "an unknown kind": ("kind: Component", "kind: Compnent", "pubsub.yaml:3: kind is Compnent"),
    "an unknown type": ("type: pubsub.redis", "type: pubsub.rediss", "pubsub.yaml:7: pubsub.rediss is no type"),
    "a value of a wrong form": (
        "version: v1\n",
        "version: v1\n  ignoreErrors: often\n",
        "pubsub.yaml:9: spec.ignoreErrors is",
    ),
    # Dapr's description calls it a text: only the sidecar knows better.
    "a value that only the sidecar reads": (
        "    - name: streamTTL\n",
        "    - name: redisPort\n      value: seventy\n    - name: streamTTL\n",
        "redisPort",
    ),
    "a value that cannot be": ('value: "256"', 'value: "many"', "pubsub.yaml:22: concurrency is"),
}


@pytest.mark.parametrize("case", COMPONENTS)
def test_a_component(case: str, unborn: Unborn) -> None:
    right, wrong, named = COMPONENTS[case]
    path = unborn.home.resources / "pubsub.yaml"
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong, 1))
    assert named in unborn.refusal()
