from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.notifications.quiet import quiet_until

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]
NIGHT = (time(22), time(7))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        ("2026-06-10T19:59", None),
        ("2026-06-10T20:00", "2026-06-11T05:00"),
        ("2026-06-11T02:00", "2026-06-11T05:00"),
        ("2026-06-11T05:00", None),
        ("2026-01-10T21:30", "2026-01-11T06:00"),
        # the night the clocks go forward is an hour shorter, and the one they go back an hour longer
        ("2026-03-28T21:30", "2026-03-29T05:00"),
        ("2026-10-24T20:30", "2026-10-25T06:00"),
    ],
)
def test_a_night_ends_by_the_clock_on_the_readers_wall(now: str, over: str | None) -> None:
    assert quiet_until(utc(now), BERLIN, *NIGHT) == (utc(over) if over else None)


def test_quiet_within_one_day() -> None:
    noon = (time(12), time(14))
    assert quiet_until(utc("2026-06-10T16:30"), NEW_YORK, *noon) == utc("2026-06-10T18:00")
    assert quiet_until(utc("2026-06-10T18:00"), NEW_YORK, *noon) is None


def test_an_end_that_the_clocks_skip_has_come_once_they_moved_on() -> None:
    # at 2:00 in Berlin it is 3:00: there is no 2:30
    assert quiet_until(utc("2026-03-29T00:59"), BERLIN, time(22), time(2, 30)) == utc("2026-03-29T01:30")


def test_an_end_that_comes_twice_ends_the_quiet_both_times() -> None:
    ends = (time(22), time(2, 30))
    assert quiet_until(utc("2026-10-24T23:59"), BERLIN, *ends) == utc("2026-10-25T00:30")
    assert quiet_until(utc("2026-10-25T00:45"), BERLIN, *ends) is None
    # the clocks went back to 2:00: it is quiet once more, until it is 2:30 again
    assert quiet_until(utc("2026-10-25T01:10"), BERLIN, *ends) == utc("2026-10-25T01:30")


MINUTES = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001  # made aware below
    st.sampled_from(ZONES),
    MINUTES,
    MINUTES,
)
def test_a_message_waits_for_less_than_a_day_and_never_for_ever(
    naive: datetime, zone: str, begins: time, ends: time
) -> None:
    now = naive.replace(tzinfo=UTC)
    waits = 0
    over = quiet_until(now, ZoneInfo(zone), begins, ends)
    while over and waits < 4:
        assert now < over
        assert (over - now).total_seconds() <= 25 * 3600
        now, waits = over, waits + 1
        over = quiet_until(now, ZoneInfo(zone), begins, ends)
    # once it is over it is over, but for clocks that go back into it
    assert waits <= 2
