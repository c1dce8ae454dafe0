import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.chassis import seams

PASS_TWO = "from apps.chassis import seams; from pathlib import Path; import sys\n"
PASS_TWO += "seams.arm('orders', Path(sys.argv[1])); seams.before('commit'); seams.after('commit'); print('alive')"


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    seams.disarm()


def run(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PASS_TWO, directory], capture_output=True, text=True, check=False)


def test_a_clean_run_records_every_seam_it_passes(tmp_path: Path) -> None:
    seams.arm("orders", tmp_path)
    seams.before("commit")
    seams.after("commit")
    assert (tmp_path / "passed").read_text().split() == ["orders:commit.before", "orders:commit.after"]


def test_off_nothing_is_recorded(tmp_path: Path) -> None:
    seams.before("commit")
    assert list(tmp_path.iterdir()) == []


def test_the_process_dies_at_the_named_seam_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "kill").write_text("orders:commit.after\n")
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert (tmp_path / "passed").read_text().split()[-1] == "orders:commit.after"
    assert (tmp_path / "landed").exists()


def test_a_kill_lands_once(tmp_path: Path) -> None:
    (tmp_path / "kill").write_text("orders:commit.before")
    assert run(tmp_path).returncode == -signal.SIGKILL
    assert run(tmp_path).stdout == "alive\n"


def test_another_service_is_not_killed(tmp_path: Path) -> None:
    (tmp_path / "kill").write_text("payments:commit.before")
    assert run(tmp_path).stdout == "alive\n"
    assert not (tmp_path / "landed").exists()
