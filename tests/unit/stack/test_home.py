"""Where a system may live: a place that cannot be is said with the setting that names it."""

from pathlib import Path

import pytest

from stack.errors import StackError
from stack.home import LONGEST_HOME, current_home

IMPOSSIBLE = {"a file": "taken", "below a file": "taken/home"}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_home_that_cannot_be_made_is_named_by_its_setting(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").touch()
    home = tmp_path / IMPOSSIBLE[case]
    monkeypatch.setenv("SIDECART_HOME", str(home))
    monkeypatch.setattr("stack.home.LONGEST_HOME", 1000)
    with pytest.raises(StackError, match=rf"SIDECART_HOME {home} cannot be used: .*: set it to a folder of yours"):
        current_home().make_directories()
    assert not current_home().usable


def test_a_home_that_is_there_or_can_be_made_is_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.home.LONGEST_HOME", 1000)
    for home in (tmp_path, tmp_path / "made" / "at" / "need"):
        monkeypatch.setenv("SIDECART_HOME", str(home))
        assert current_home().usable


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SIDECART_PORT_OFFSET", "many", "SIDECART_PORT_OFFSET is 'many': give a whole number from 0 to"),
        ("SIDECART_PORT_OFFSET", "-1", "SIDECART_PORT_OFFSET is '-1': give a whole number from 0 to"),
        ("SIDECART_HOME", "/" + "x" * LONGEST_HOME, "is longer than 75 bytes: sockets need a shorter path"),
    ],
)
def test_a_setting_that_cannot_be_is_named(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StackError, match=said):
        current_home()
