import asyncio
from functools import partial

from apps.chassis.app import Chassis, Service
from apps.chassis.codec import Codec
from apps.chassis.sidecar import Sidecar
from apps.chassis.telemetry import log
from apps.notifications import clients
from apps.notifications.jobs import jobs
from apps.notifications.lanes import Lane, Resolver
from apps.notifications.post_room import PostRoom, for_ever, until_done
from apps.notifications.problems import PROBLEMS
from apps.notifications.routes import router
from apps.notifications.sealing import SECRET, Sealer
from apps.notifications.settings import Settings
from apps.notifications.subscriptions import handlers, intake

_CLOSING_S = 8.0


async def _codec(sidecar: Sidecar) -> Codec:
    """Seal what security mails say, and the chassis' tables: a dead letter may hold a token as well."""
    return Sealer.from_secret(await sidecar.secret(SECRET))


async def prepare(chassis: Chassis) -> PostRoom:
    """Open the post room."""
    told: Settings = chassis.settings
    return PostRoom(chassis.database, intake, holder=told.holder, lease=told.lease, capacity=told.capacity)


async def send(chassis: Chassis) -> None:
    """Send until cancelled; then finish the mails in hand, and leave the rest to others."""
    told: Settings = chassis.settings
    room: PostRoom = chassis.extra
    lanes = [Lane(component, room, chassis.sidecar, told.mail_from) for component in told.email_lanes]
    resolver = Resolver(room, chassis.database, partial(clients.contact_of, chassis.sidecar))
    await until_done(room.take_over)
    keeping = [asyncio.create_task(for_ever(step)) for step in (room.claim, room.write_outcomes, room.renew)]
    sending = [asyncio.create_task(for_ever(lane.send_next)) for lane in lanes]
    sending += [asyncio.create_task(for_ever(resolver.resolve_next)) for _ in range(told.resolvers)]
    try:
        await asyncio.wait((*keeping, *sending))
    finally:
        await _stop(sending)
        await _stop(keeping)
        await room.close()


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel and wait, but not for a provider that hangs."""
    for task in tasks:
        task.cancel()
    _, hanging = await asyncio.wait(tasks, timeout=_CLOSING_S)
    if hanging:
        log.warning("mails_in_hand_left", count=len(hanging))


SERVICE = Service(
    name="notifications",
    settings=Settings,
    routers=[router],
    handlers=handlers,
    jobs=jobs,
    problems=PROBLEMS,
    codec=_codec,
    prepare=prepare,
    background=[send],
)
