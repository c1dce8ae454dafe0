"""The system that runs is the one that people want to know about."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from stack import records
from tests.bench import __main__ as bench
from tests.bench.settings import parse
from tests.support.system import System


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIDECART_HOME", str(tmp_path))
    monkeypatch.setenv("SIDECART_PORT_OFFSET", "40")
    monkeypatch.setattr(System, "__enter__", lambda self: self)
    monkeypatch.setattr(System, "__exit__", lambda *_: None)


def measured(*arguments: str) -> tuple[System, float | None]:
    with ExitStack() as cleanup:
        return bench._system(parse(arguments), cleanup, lambda _: None)


def test_the_running_system_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(records, "running", lambda _: object())
    system, ready_s = measured()
    assert (system.root, system.offset, ready_s) == (tmp_path, 40, None)
    assert measured("--own")[1] is not None


def test_where_none_runs_one_is_started() -> None:
    assert measured()[1] is not None
