from dataclasses import dataclass
from datetime import UTC, date, datetime

from apps.chassis.app import Chassis
from apps.chassis.jobs import Jobs
from apps.orders import asking, store

jobs = Jobs()
MONTHS_AHEAD = 3


@dataclass(slots=True)
class Calendar:
    """When this process last saw to the partitions."""

    checked_on: date | None = None


async def begin(chassis: Chassis) -> Calendar:
    """See to the partitions before the first request: the system may have been off for months."""
    calendar = Calendar()
    await _keep_partitions(chassis, calendar)
    return calendar


@jobs.on("every-10s")
async def keep_partitions(chassis: Chassis) -> None:
    """Make the coming months' partitions, on each day's first tick."""
    await _keep_partitions(chassis, chassis.extra)


@jobs.on("every-10s")
async def ask_about_waiting(chassis: Chassis) -> None:
    """Ask payments about the orders that hear nothing."""
    await asking.ask_about_waiting(chassis)


async def _keep_partitions(chassis: Chassis, calendar: Calendar) -> None:
    today = datetime.now(UTC).date()
    if calendar.checked_on == today:
        return
    async with chassis.database.transaction() as tx:
        await store.ensure_partitions(tx, MONTHS_AHEAD)
    calendar.checked_on = today
