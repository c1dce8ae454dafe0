from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from apps.notifications.digest_hours import digest_due

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-05-01T07:59:59.9", "2026-05-01T08:00:00"),
        ("2026-05-01T08:00:00", "2026-05-01T09:00:00"),
        ("2026-12-31T23:30:00", "2027-01-01T00:00:00"),
    ],
)
def test_hourly_news_is_told_at_the_next_full_hour(now: str, due: str) -> None:
    told = digest_due(datetime.fromisoformat(now).replace(tzinfo=UTC), BERLIN, "hourly")
    assert told == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-05-01T05:59:59", "2026-05-01T06:00:00"),
        ("2026-05-01T06:00:01", "2026-05-02T06:00:00"),
        ("2026-12-01T07:30:00", "2026-12-02T07:00:00"),
        # the clocks go forward on the 29th of March at 1 UTC, and back on the 25th of October
        ("2026-03-28T12:00:00", "2026-03-29T06:00:00"),
        ("2026-10-24T12:00:00", "2026-10-25T07:00:00"),
    ],
)
def test_daily_news_is_told_at_eight_where_the_reader_is(now: str, due: str) -> None:
    told = digest_due(datetime.fromisoformat(now).replace(tzinfo=UTC), BERLIN, "daily")
    assert told == datetime.fromisoformat(due).replace(tzinfo=UTC)
