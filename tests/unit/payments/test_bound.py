import time

import pytest

from apps.payments.bound import Bound


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    return clock


@pytest.mark.usefixtures("clock")
def test_there_is_room_for_as_many_as_are_set() -> None:
    bound = Bound(2)
    with bound.one():
        assert bound.room() == 1
        with bound.one():
            assert bound.room() == 0
    assert bound.room() == 2


def test_a_processor_that_limits_us_is_left_alone_for_as_long_as_it_named(clock: Clock) -> None:
    bound = Bound(8)
    bound.refused(2.0)
    assert bound.room() == 0
    clock.now += 2.1
    assert bound.room() == 4


def test_calls_under_way_beside_the_refused_one_halve_nothing_more(clock: Clock) -> None:
    bound = Bound(8)
    for _ in range(5):
        bound.refused(1.0)
    clock.now += 1.1
    assert bound.room() == 4
    bound.refused(None)
    clock.now += 1.1
    assert bound.room() == 2


def test_one_call_remains_however_often_it_is_refused(clock: Clock) -> None:
    bound = Bound(8)
    for _ in range(10):
        bound.refused(0)
        clock.now += 1
    assert bound.room() == 1


def test_answers_make_room_again_and_never_more_than_was_set(clock: Clock) -> None:
    bound = Bound(8)
    bound.refused(1.0)
    clock.now += 1.1
    for _ in range(5):
        bound.answered()
    assert bound.room() == 5
    for _ in range(1000):
        bound.answered()
    assert bound.room() == 8
