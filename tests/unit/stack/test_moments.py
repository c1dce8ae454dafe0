from datetime import UTC, datetime, timedelta

import pytest

from stack.cli.data import moment
from stack.errors import StackError


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", {"seconds": 90}), ("30m", {"minutes": 30}), ("24h", {"hours": 24}), ("2d", {"days": 2})],
)
def test_a_duration_counts_back_from_now(text: str, ago: dict[str, int]) -> None:
    assert abs(datetime.now(UTC) - timedelta(**ago) - moment(text)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "text", ["2026-11-27T14:00Z", "2026-11-27T14:00", "2026-11-27T15:00+01:00", "2026-11-27T14:00:00.000Z"]
)
def test_a_time_is_read_with_its_zone_and_is_utc_without_one(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 27, 14, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "10", "h", "10 m", "-5m", "14:00", "yesterday"])
def test_anything_else_is_told_what_to_write(text: str) -> None:
    with pytest.raises(StackError, match="write 30m, 24h or"):
        moment(text)
