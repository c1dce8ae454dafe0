"""The arithmetic of the bench; pure."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

Json = dict[str, Any]


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that *share* of the sorted values do not exceed (nearest rank); nothing gives NaN."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(seconds: Iterable[float]) -> Json:
    """Return count, p50, p95, p99 and the worst, in milliseconds."""
    ordered = sorted(seconds)
    shown: Json = {"count": len(ordered)}
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99), ("max_ms", 1.0)):
        value = percentile(ordered, share)
        shown |= {name: None if math.isnan(value) else round(value * 1000, 1)}
    return shown


def ratio(part: float | None, whole: float | None) -> float | None:
    """Return *part* of *whole*, or None where either is missing or nothing was there to compare with."""
    return round(part / whole, 4) if part is not None and whole else None


def backlog(moments: Iterable[float], begun: Sequence[float], ended: Sequence[float]) -> list[int]:
    """Return, for each moment, how many had begun by then and not ended."""
    starts, ends = sorted(begun), sorted(ended)
    return [bisect_right(starts, moment) - bisect_right(ends, moment) for moment in moments]


def growth(levels: Sequence[float], every_s: float) -> float:
    """Return the slope of the line of least squares through *levels*, per second: what a flat backlog has near zero."""
    count = len(levels)
    if count < 2:
        return 0.0
    middle, mean = (count - 1) / 2, sum(levels) / count
    above = sum((place - middle) * (level - mean) for place, level in enumerate(levels))
    below = sum((place - middle) ** 2 for place in range(count))
    return above / below / every_s
