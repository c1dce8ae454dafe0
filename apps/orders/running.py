from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

from fastapi import Response

from apps.chassis.app import Chassis
from apps.chassis.grouping import Group
from apps.orders import checkout, store
from apps.orders.checkout import Wanted

MONTHS_AHEAD: Final = 3


@dataclass(slots=True)
class Running:
    """What this process keeps in memory, as `chassis.extra`."""

    checkout: Group[Wanted, Response]
    partitions_checked_on: date | None = None


async def begin(chassis: Chassis) -> Running:
    """See to the partitions before the first request: the system may have been off for months."""
    running = Running(Group(partial(checkout.place, chassis), pace_s=chassis.settings.pace.total_seconds()))
    await keep_partitions(chassis, running)
    return running


async def keep_partitions(chassis: Chassis, running: Running) -> None:
    """Make the coming months' partitions, once a day."""
    today = datetime.now(UTC).date()
    if running.partitions_checked_on == today:
        return
    async with chassis.database.transaction() as tx:
        await store.ensure_partitions(tx, MONTHS_AHEAD)
    running.partitions_checked_on = today
