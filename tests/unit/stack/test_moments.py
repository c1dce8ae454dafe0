from datetime import UTC, datetime, timedelta

import pytest

from stack.cli.times import duration, moment
from stack.errors import StackError


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", {"seconds": 90}), ("30m", {"minutes": 30}), ("24h", {"hours": 24}), ("2d", {"days": 2})],
)
def test_a_duration_counts_back_from_now(text: str, ago: dict[str, int]) -> None:
    assert abs(datetime.now(UTC) - timedelta(**ago) - moment("--since", text)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "text", ["2026-11-27T14:00Z", "2026-11-27T14:00", "2026-11-27T15:00+01:00", "2026-11-27T14:00:00.000Z"]
)
def test_a_time_is_read_with_its_zone_and_is_utc_without_one(text: str) -> None:
    assert moment("--since", text) == datetime(2026, 11, 27, 14, tzinfo=UTC)


FOREVER = ("9999999d", "99999999999999999999s", "9" * 5000 + "s")


@pytest.mark.parametrize("text", ["", "10", "h", "10 m", "-5m", "14:00", "yesterday", *FOREVER])
def test_anything_else_is_told_what_to_write(text: str) -> None:
    with pytest.raises(StackError, match="write 30m, 24h or"):
        moment("--since", text)


def test_a_length_is_read() -> None:
    assert [duration("--settle", text) for text in ("0s", "5m", "1h", "2d")] == [
        timedelta(), timedelta(minutes=5), timedelta(hours=1), timedelta(days=2),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "5", "-5m", "soon", *FOREVER])
def test_a_length_that_nothing_lasts_is_told_what_to_write(text: str) -> None:
    with pytest.raises(StackError, match="write 0s, 5m or 1h"):
        duration("--settle", text)
