import asyncio
import time

import pytest

from apps.chassis.pacing import Pace


class Clock:
    """A time that passes only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(asyncio, "sleep", self.sleep)

    async def sleep(self, delay: float) -> None:
        """Let *delay* pass."""
        self.now += delay


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Put time into the test's hands."""
    return Clock(monkeypatch)


async def starts(pace: Pace, clock: Clock, rounds: int) -> list[float]:
    """Return when each of so many rounds began, in seconds from now."""
    began, times = clock.now, list[float]()
    for _ in range(rounds):
        await pace.turn()
        times.append(round(clock.now - began, 6))
    return times


async def test_the_first_rounds_go_at_once_and_the_next_keep_their_distance(clock: Clock) -> None:
    assert await starts(Pace(0.05), clock, 6) == [0, 0, 0, 0.05, 0.1, 0.15]


async def test_after_a_rest_nobody_waits_and_a_long_one_saves_up_no_more_than_a_short_one(clock: Clock) -> None:
    pace = Pace(0.05)
    await starts(pace, clock, 10)
    clock.now += 0.05
    assert await starts(pace, clock, 2) == [0, 0.05]
    clock.now += 3600
    assert await starts(pace, clock, 4) == [0, 0, 0, 0.05]


@pytest.mark.parametrize(("behind", "distance"), [(0.0, 0.08), (0.7, 0.08), (1.6, 0.16), (60.0, 0.24)])
async def test_who_is_behind_takes_longer_rounds_up_to_a_limit(clock: Clock, behind: float, distance: float) -> None:
    assert await starts(Pace(0.08, lambda: behind), clock, 5) == [0, 0, 0, distance, 2 * distance]


async def test_no_pace_is_kept_where_none_is_set(clock: Clock) -> None:
    assert await starts(Pace(0.0, lambda: 60.0), clock, 2) == [0, 0]
