"""What we add to the runtime keeps its own promises: its tests are Go's."""

import os
import subprocess

import pytest

from stack import valkey
from stack.go_toolchain import find_go
from stack.runtime import find_installed
from stack.runtime_build import SOURCE, pins
from stack.watched import to_stderr

PACKAGES = ("./smtp", "./names", "./leaving", "./texts", "./rabbitmq", "./reloads", "./sidecar", "./streams")


@pytest.mark.timeout(600)
def test_the_components_of_our_own_pass_their_tests() -> None:
    if find_installed() is not None:
        pytest.skip("an installed Dapr is in use, so nothing is built here")
    go = find_go(pins(SOURCE).go, to_stderr)
    env = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    env["SIDECART_VALKEY_SERVER"] = str(valkey.binary())
    run = subprocess.run(
        [str(go), "test", *PACKAGES], cwd=SOURCE, env=env, capture_output=True, text=True, check=False, timeout=580
    )
    assert run.returncode == 0, run.stdout + run.stderr
