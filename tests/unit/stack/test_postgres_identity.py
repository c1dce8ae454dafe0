import subprocess
from pathlib import Path

from stack import postgres


def test_the_servers_user_reaches_its_data_through_folders_that_are_closed_to_our_group(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    data = closed / "data"
    data.mkdir(parents=True)
    closed.chmod(0o700)
    user = postgres.server_user()
    if user:
        postgres._let_reach(user, data)
    write = ["/bin/sh", "-c", f"echo reached > {data}/here"]
    done = subprocess.run(write, capture_output=True, text=True, check=False, **postgres.identity(user))
    assert (done.returncode, done.stderr) == (0, "")
    assert (data / "here").read_text() == "reached\n"


def test_without_root_a_child_is_what_we_are() -> None:
    assert postgres.identity(None) == {}
