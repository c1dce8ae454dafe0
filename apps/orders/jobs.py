from apps.chassis.app import Chassis
from apps.chassis.jobs import Jobs
from apps.orders import asking, erasing, intents, leaving, running

jobs = Jobs()


@jobs.on("every-10s")
async def keep_partitions(chassis: Chassis) -> None:
    """Make the coming months' partitions, on each day's first tick."""
    await running.keep_partitions(chassis, chassis.extra)


@jobs.on("every-10s")
async def ask_about_waiting(chassis: Chassis) -> None:
    """Ask payments about the orders that hear nothing."""
    await asking.ask_about_waiting(chassis)


@jobs.on("every-10s")
async def expire_unpaid(chassis: Chassis) -> None:
    """Free what nobody paid for in time."""
    await leaving.expire_unpaid(chassis)


@jobs.on("every-10s")
async def remove_orphans(chassis: Chassis) -> None:
    """Remove documents that no order names."""
    await intents.sweep(chassis, chassis.settings.orphan_after, chassis.settings.orphan_batch)


@jobs.on("every-10s")
async def erase_people(chassis: Chassis) -> None:
    """Forget those who asked to be forgotten."""
    await erasing.erase_people(chassis)
