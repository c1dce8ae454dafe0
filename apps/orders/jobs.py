from apps.chassis.app import Chassis
from apps.chassis.jobs import Jobs
from apps.orders import asking, running

jobs = Jobs()


@jobs.on("every-10s")
async def keep_partitions(chassis: Chassis) -> None:
    """Make the coming months' partitions, on each day's first tick."""
    await running.keep_partitions(chassis, chassis.extra)


@jobs.on("every-10s")
async def ask_about_waiting(chassis: Chassis) -> None:
    """Ask payments about the orders that hear nothing."""
    await asking.ask_about_waiting(chassis)
