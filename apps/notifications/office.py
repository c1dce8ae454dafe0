"""What a running process of the service has, beside what every service has."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from apps.chassis.app import Chassis
from apps.chassis.sidecar import SidecarError
from apps.chassis.telemetry import log
from apps.notifications import clients, wordings
from apps.notifications.calls import Sender
from apps.notifications.catalogue import Catalogue
from apps.notifications.composing import Composer
from apps.notifications.feeding import Feeder
from apps.notifications.intake import Intake
from apps.notifications.lanes import Lane, Resolver
from apps.notifications.links import Links
from apps.notifications.loops import for_ever, until_done
from apps.notifications.post_room import PostRoom
from apps.notifications.providers import Providers
from apps.notifications.sealing import SECRET
from apps.notifications.settings import Settings
from apps.notifications.sources import Channel
from apps.notifications.throttle import Throttle
from apps.notifications.undelivered import Cabinet

_CLOSING_S = 8.0
# Waiting for each outcome by itself cost a third of the mails a second; a crash forgets this many and the one in hand.
_AHEAD = 3
_RECEIPTS = "notifications-receipts-secret"


@dataclass(slots=True)
class Office:
    """Found at `chassis.extra`."""

    room: PostRoom
    composer: Composer
    feeder: Feeder
    cabinet: Cabinet
    receipts_secret: str | None

    @property
    def catalogue(self) -> Catalogue:
        """The templates as they serve now."""
        return self.composer.catalogue

    @property
    def links(self) -> Links:
        """Makes and reads the links of mails."""
        return self.composer.links


async def open_office(chassis: Chassis, intake: Intake) -> Office:
    """Build it; what staff have written is served from the first message on."""
    told: Settings = chassis.settings
    catalogue = Catalogue()
    await wordings.refresh(chassis.database, catalogue)
    links = Links(await chassis.sidecar.secret(SECRET), told.public_url)
    sender = Sender(told.mail_from, told.message_domain, told.push_topic)
    return Office(
        room=PostRoom(chassis.database, intake, holder=told.holder, lease=told.lease, capacity=told.capacity),
        composer=Composer(catalogue, links, sender, chassis.database.codec),
        feeder=Feeder(chassis.database, told.campaign_batch, told.campaign_ahead),
        cabinet=Cabinet(chassis.database, chassis.documents, told.undelivered_ttl),
        receipts_secret=await _optional(chassis, _RECEIPTS),
    )


async def _optional(chassis: Chassis, name: str) -> str | None:
    try:
        return await chassis.sidecar.secret(name)
    except SidecarError:
        log.info("secret_absent", name=name)
        return None


async def send(chassis: Chassis) -> None:
    """Send until cancelled; then finish the mails in hand, and leave the rest to others."""
    office: Office = chassis.extra
    room = office.room
    resolver = Resolver(room, chassis.database, partial(clients.contact_of, chassis.sidecar))
    await until_done(room.take_over)
    steps = (room.claim, room.claim_marketing, room.begin, room.write_outcomes, room.renew)
    keeping = [asyncio.create_task(for_ever(step)) for step in steps]
    sending = [asyncio.create_task(for_ever(lane.send_next)) for lane in _lanes(chassis, office)]
    sending += [asyncio.create_task(for_ever(resolver.resolve_next)) for _ in range(chassis.settings.resolvers)]
    try:
        await asyncio.wait((*keeping, *sending))
    finally:
        await _stop(sending)
        await _stop(keeping)
        await room.close()


def _lanes(chassis: Chassis, office: Office) -> Sequence[Lane]:
    """Return the tasks that send, for mail as many as each component bears."""
    told: Settings = chassis.settings
    rates = {
        Channel.EMAIL: told.email_per_second,
        Channel.SMS: told.sms_per_second,
        Channel.PUSH: told.push_per_second,
    }
    throttles = {channel: Throttle(rate) for channel, rate in rates.items()}
    wanted = [
        (Channel.EMAIL, [name, told.email_fallback], told.email_together, told.email_at_once, told.email_ahead)
        for name in told.email_lanes
    ]
    wanted += [
        (Channel.SMS, ["sms"], 1, told.sms_at_once, _AHEAD),
        (Channel.PUSH, ["push"], 1, told.push_at_once, _AHEAD),
    ]
    lanes: list[Lane] = []
    for channel, names, together, at_once, ahead in wanted:
        providers = Providers(chassis.sidecar, names, together)
        parts = (channel, providers, office.room, office.composer, throttles[channel])
        lanes += [Lane(*parts, ahead=ahead) for _ in range(at_once)]
    return lanes


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel and wait, but not for a provider that hangs."""
    for task in tasks:
        task.cancel()
    _, hanging = await asyncio.wait(tasks, timeout=_CLOSING_S)
    if hanging:
        log.warning("mails_in_hand_left", count=len(hanging))


async def feed(chassis: Chassis) -> None:
    """Write campaigns out until cancelled."""
    office: Office = chassis.extra
    await for_ever(office.feeder.step)


async def keep(chassis: Chassis) -> None:
    """Send again what somebody asks for, until cancelled."""
    office: Office = chassis.extra
    await for_ever(office.cabinet.answer)
