"""A test run that is told to end, or killed, leaves nothing running."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stack.home import CHECKOUT
from tests.support.orphans import seen_to
from tests.support.system import wait_for

HELD = """
import sys, time
from pathlib import Path
from tests.support.orphans import seen_to
with seen_to(["touch", sys.argv[2]], Path("/"), {}):
    Path(sys.argv[1]).touch()
    time.sleep(600)
"""
WITH_A_CHILD = """
import sys, time
from pathlib import Path
from tests.support import children
child = children.start(["sleep", "600"])
Path(sys.argv[1]).write_text(f"{child.pid}\\n")
time.sleep(600)
"""
TAKEN_DOWN = """
import time
from collections.abc import Iterator
from pathlib import Path
import pytest

@pytest.fixture(scope="session")
def system() -> Iterator[None]:
    yield
    Path(__file__).with_name("down").touch()

def test_something_long(system: None) -> None:
    Path(__file__).with_name("up").touch()
    time.sleep(600)
"""


def ends(child: "subprocess.Popen[bytes]", up: Path, number: signal.Signals) -> int:
    """Send a signal once *up* is there; return how the child ended."""
    wait_for(lambda: up.exists() or None, "the child to be at work", 60)
    child.send_signal(number)
    return child.wait(60)


def test_who_is_killed_is_cleaned_up_after(tmp_path: Path) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    with subprocess.Popen([sys.executable, "-c", HELD, str(up), str(down)], cwd=CHECKOUT) as child:
        assert ends(child, up, signal.SIGKILL) == -signal.SIGKILL
    wait_for(lambda: down.exists() or None, "the guard to have acted", 60)


def test_no_child_outlives_who_started_it(tmp_path: Path) -> None:
    told = tmp_path / "child"
    with subprocess.Popen([sys.executable, "-c", WITH_A_CHILD, str(told)], cwd=CHECKOUT) as parent:
        wait_for(lambda: told.exists() and told.read_text().endswith("\n"), "the child to be there", 60)
        child = psutil.Process(int(told.read_text()))
        parent.kill()
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child to be gone", 60)


def test_who_ends_in_order_needs_no_guard(tmp_path: Path) -> None:
    with seen_to(["touch", str(tmp_path / "down")], tmp_path, {}):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_told_to_end_takes_down_what_it_started(tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text(TAKEN_DOWN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", os.devnull, str(tmp_path)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.DEVNULL) as child:
        assert ends(child, tmp_path / "up", signal.SIGTERM) == pytest.ExitCode.INTERRUPTED
    assert (tmp_path / "down").exists()
