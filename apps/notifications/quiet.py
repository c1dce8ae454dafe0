"""Quiet hours: between two times of day, in the recipient's own zone, a message waits."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def quiet_until(now: datetime, zone: ZoneInfo, begins: time, ends: time) -> datetime | None:
    """Return when the quiet that *now* falls into is over, in UTC; None where it is not quiet.

    Times of day are the recipient's. One that the clocks skip has come once they have moved on; one that comes
    twice ends the quiet at the first, and again where the clocks go back into it.
    """
    local = now.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    if begins <= ends:
        quiet, tomorrow = begins <= clock < ends, False
    else:
        quiet, tomorrow = clock >= begins or clock < ends, clock >= begins
    if not quiet:
        return None
    day = local.date() + timedelta(days=1) if tomorrow else local.date()
    over = datetime.combine(day, ends, zone)
    if over.astimezone(UTC) <= now:
        over = over.replace(fold=1)
    return over.astimezone(UTC)
