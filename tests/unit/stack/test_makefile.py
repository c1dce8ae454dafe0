"""The first `make` on a machine: whoever waits is told that it goes on, and how it ended."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import program

CHECKOUT = Path(__file__).resolve().parents[3]


def start(checkout: Path, uv: str) -> subprocess.Popen[str]:
    """Install the packages in an empty checkout, by a uv that does as it is told."""
    shutil.copy(CHECKOUT / "Makefile", checkout)
    for name in ("pyproject.toml", "uv.lock"):
        (checkout / name).touch()
    (checkout / ".venv").mkdir()
    command = ["make", ".venv/.synced", f"UV={program(checkout / 'uv', uv)}", "HEARTBEAT_S=1"]
    # what the make around a test run tells those below it is not meant for this one
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.Popen(command, cwd=checkout, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_long_installation_says_that_it_goes_on(tmp_path: Path) -> None:
    go_on = tmp_path / "go-on"
    with start(tmp_path, f"while [ ! -e {go_on} ]; do sleep 0.05; done") as process:
        assert process.stdout
        for line in process.stdout:
            if "still at it" in line:
                go_on.touch()
    assert process.returncode == 0
    assert go_on.exists()
    assert (tmp_path / ".venv" / ".synced").exists()


@pytest.mark.parametrize("before", ["", "sleep 0.1; "])
def test_an_installation_that_fails_is_no_success(before: str, tmp_path: Path) -> None:
    with start(tmp_path, f"{before}exit 3") as process:
        process.communicate()
    assert process.returncode != 0
    assert not (tmp_path / ".venv" / ".synced").exists()
