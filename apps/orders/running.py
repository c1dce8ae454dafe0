from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

from fastapi import Response

from apps.chassis.app import Chassis
from apps.chassis.grouping import Group
from apps.orders import checkout, store
from apps.orders.checkout import Wanted
from apps.orders.replica import Reads, reads_of
from apps.orders.settings import OrdersSettings
from apps.orders.streams import Streams

MONTHS_AHEAD: Final = 3


@dataclass(slots=True)
class Running:
    """What this process keeps in memory, as `chassis.extra`."""

    checkout: Group[Wanted, Response]
    reads: Reads
    streams: Streams
    partitions_checked_on: date | None = None


def new(chassis: Chassis) -> Running:
    """Return what a process has before its first request."""
    settings: OrdersSettings = chassis.settings
    streams = Streams(chassis.database, poll=settings.stream_poll, last_for=settings.stream_for, most=settings.streams)
    group = Group(partial(checkout.place, chassis), pace_s=settings.pace.total_seconds())
    return Running(group, reads_of(chassis), streams)


async def begin(chassis: Chassis) -> Running:
    """See to the partitions before the first request: the system may have been off for months."""
    running = new(chassis)
    await keep_partitions(chassis, running)
    await running.reads.look()
    return running


async def watch_replica(chassis: Chassis) -> None:
    """Know how far the replica is, until the process stops."""
    running: Running = chassis.extra
    try:
        await running.reads.keep_looking()
    finally:
        await running.reads.close()


async def watch_orders(chassis: Chassis) -> None:
    """Tell those who watch orders what is new, until the process stops."""
    running: Running = chassis.extra
    try:
        await running.streams.keep_looking()
    finally:
        running.streams.close()


async def keep_partitions(chassis: Chassis, running: Running) -> None:
    """Make the coming months' partitions, once a day."""
    today = datetime.now(UTC).date()
    if running.partitions_checked_on == today:
        return
    async with chassis.database.transaction() as tx:
        await store.ensure_partitions(tx, MONTHS_AHEAD)
    running.partitions_checked_on = today
