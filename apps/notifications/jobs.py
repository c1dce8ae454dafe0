from apps.chassis.app import Chassis
from apps.chassis.jobs import Jobs
from apps.notifications import digests, wordings
from apps.notifications.office import Office
from apps.notifications.undelivered import BATCH

jobs = Jobs()
# What one tick moves at most: it must be over before the next, and other replicas tick as well.
_BATCHES_A_TICK = 25


@jobs.on("every-10s")
async def send_what_is_due(chassis: Chassis) -> None:
    """Take up what the queue did not bring, what a dead sender left behind, and what is to be tried again."""
    office: Office = chassis.extra
    await office.room.sweep()


@jobs.on("every-10s")
async def learn_templates(chassis: Chassis) -> None:
    """Serve what staff wrote by way of another replica."""
    office: Office = chassis.extra
    await wordings.refresh(chassis.database, office.catalogue)


@jobs.on("every-10s")
async def tell_together(chassis: Chassis) -> None:
    """Make one mail of what waits for each reader whose hour has come."""
    office: Office = chassis.extra
    for _ in range(_BATCHES_A_TICK):
        async with chassis.database.transaction() as tx:
            if await digests.gather(tx, office.catalogue) < digests.READERS_AT_ONCE:
                break


@jobs.on("every-10s")
async def keep_the_undelivered(chassis: Chassis) -> None:
    """Put away what failed, send again what somebody asked for, and clear what is of no more use."""
    office: Office = chassis.extra
    for step in (office.cabinet.file, office.cabinet.send_again):
        for _ in range(_BATCHES_A_TICK):
            if await step() < BATCH:
                break
    await office.cabinet.tidy()
