"""When a digest is due."""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from apps.notifications.quiet import quiet_until

TEMPLATE: Final = "digest"
# The day's news with breakfast; who is still asleep then has quiet hours, which hold for the digest too.
_MORNING: Final = time(8)
_JUST_AFTER: Final = time(8, 0, 0, 1)


def digest_due(now: datetime, zone: ZoneInfo, every: str) -> datetime:
    """Return when what comes *now* is told: at the next full hour, or at the next eight o'clock of its reader."""
    if every == "hourly":
        return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    # all day is quiet but for that moment, also on days when the clocks change
    return quiet_until(now, zone, _JUST_AFTER, _MORNING) or now
