import math

import pytest

from tests.bench.figures import backlog, growth, percentile, ratio, spread


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.1, 1.0), (0.11, 2.0), (0.5, 5.0), (0.95, 10.0), (1.0, 10.0)]
)
def test_a_percentile_is_one_of_the_values_by_nearest_rank(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 11)], share) == expected


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_spread_sorts_and_tells_milliseconds() -> None:
    assert spread([0.003, 0.001, 0.002]) == {"count": 3, "p50_ms": 2.0, "p95_ms": 3.0, "p99_ms": 3.0, "max_ms": 3.0}


def test_a_spread_of_nothing_says_so_rather_than_zero() -> None:
    assert spread([]) == {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None}


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(1, 4, 0.25), (0.0, 4, 0.0), (None, 4, None), (1, None, None), (1, 0, None)]
)
def test_a_ratio_needs_both_sides(part: float | None, whole: float | None, expected: float | None) -> None:
    assert ratio(part, whole) == expected


def test_the_backlog_is_what_began_and_did_not_end() -> None:
    assert backlog([0.5, 1.0, 2.5, 9.0], begun=[1.0, 2.0, 3.0], ended=[4.0, 2.2]) == [0, 1, 1, 1]


def test_the_growth_is_the_slope_per_second() -> None:
    assert growth([10, 14, 18], every_s=2.0) == pytest.approx(2.0)
    assert growth([7, 7, 7, 7], every_s=1.0) == 0.0
    assert growth([7], every_s=1.0) == 0.0
