"""How far behind a process is, by the ids of what it handled."""

import time
from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from apps.chassis.lag import WINDOW_S, Lag


def born(ago_s: float) -> str:
    """Return an id made *ago_s* seconds ago."""
    made = f"{int((time.time() - ago_s) * 1000):012x}"
    return f"{made[:8]}-{made[8:]}-{str(uuid7())[14:]}"


def test_the_oldest_fact_of_late_counts() -> None:
    lag = Lag()
    assert lag.seconds() == 0
    lag.note([born(3), born(40), born(1)])
    lag.note([born(2)])
    assert lag.seconds() == pytest.approx(40, abs=1)


def test_ids_that_tell_no_time_are_passed_over() -> None:
    lag = Lag()
    lag.note([str(uuid4()), "", "someone-elses7id"])
    assert lag.seconds() == 0


def test_what_was_late_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    lag, now = Lag(), time.monotonic()
    lag.note([born(40)])
    monkeypatch.setattr(time, "monotonic", lambda: now + WINDOW_S + 1)
    assert lag.seconds() == pytest.approx(40, abs=1)
    monkeypatch.setattr(time, "monotonic", lambda: now + 2 * (WINDOW_S + 1))
    assert lag.seconds() == 0
