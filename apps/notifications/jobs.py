from apps.chassis.app import Chassis
from apps.chassis.jobs import Jobs
from apps.notifications.post_room import PostRoom

jobs = Jobs()


@jobs.on("every-10s")
async def send_what_is_due(chassis: Chassis) -> None:
    """Take up what the queue did not bring, what a dead sender left behind, and what is to be tried again."""
    room: PostRoom = chassis.extra
    await room.sweep()
