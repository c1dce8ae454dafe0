"""The doctor knows what the first start needs, and not only the next one."""

from types import SimpleNamespace

import pytest

from stack import runtime
from stack.cli import doctor
from stack.home import Home

GIB = 1024**3


@pytest.mark.parametrize(("here", "fine", "said"), [(True, True, "2 needed"), (False, False, "7 needed")])
def test_a_first_build_needs_more_disk(
    here: bool, fine: bool, said: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "is_here", lambda: here)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3 * GIB))
    found = {what: (judged, words) for what, judged, words in doctor._findings(home)}
    assert found["disk"] == (fine, f"3.0 GiB free, {said}")
