from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis import outbox, telemetry
from apps.contracts.base import Event
from apps.contracts.notifications import OutgoingMarketing, OutgoingMessage, OutgoingOrders, OutgoingSecurity
from apps.contracts.users import Contact, UserErased
from apps.notifications import contacts, preferences, store, suppressions
from apps.notifications.catalogue import Catalogue
from apps.notifications.domain import Category
from apps.notifications.letters import Letter, key_of
from apps.notifications.links import Reader
from apps.notifications.rendering import RenderingError
from apps.notifications.schemas import NotificationPage, NotificationView, SendNotification
from apps.notifications.sources import Channel

QUEUES: dict[Category, type[OutgoingMessage]] = {
    Category.SECURITY: OutgoingSecurity,
    Category.ORDERS: OutgoingOrders,
    Category.MARKETING: OutgoingMarketing,
}
_LAST = UUID(int=(1 << 128) - 1)


class TemplateMismatchError(Exception):
    """The data sent does not fit the template."""


async def queue(tx: AsyncSession, letters: Sequence[Letter], causes: Sequence[Event | None]) -> None:
    """Write each letter once by each of its ways, and promise to send it; *causes* are the facts they come from."""
    ways = await preferences.addressed_ways(tx, letters)
    each = [
        (_by(letter, way, cause), cause)
        for n, (letter, cause) in enumerate(zip(letters, causes, strict=True))
        for way in ways[n]
    ]
    new = await store.add(tx, [letter for letter, _ in each])
    for letter, cause in each:
        id_ = new.pop(letter.dedup_key, None)
        if id_ is not None and letter.not_before is None:
            outbox.record(tx, QUEUES[letter.category](message_id=id_, sequence=1), caused_by=cause)


def _by(letter: Letter, way: Channel, cause: Event | None) -> Letter:
    trace = telemetry.kept(cause.traceparent if cause else telemetry.traceparent())
    return replace(letter, dedup_key=_key_by(letter, way), channels=(way,), trace=trace)


def _key_by(letter: Letter, way: Channel) -> UUID:
    return letter.dedup_key if way is Channel.EMAIL else key_of(str(letter.dedup_key), way)


async def keep_contacts(tx: AsyncSession, told: Sequence[Contact]) -> None:
    """Remember how people are reached, as of the newest fact about each."""
    await contacts.keep(tx, told)


async def forget(tx: AsyncSession, events: Sequence[UserErased]) -> None:
    """Destroy what is kept about people who asked for it."""
    await contacts.forget(tx, [event.user_id for event in events])


async def accept(tx: AsyncSession, catalogue: Catalogue, caller: str, command: SendNotification) -> UUID:
    """Queue what *caller*, another service, asks for, unless it asked before; return the message's id."""
    to = command.recipient
    channels = tuple(dict.fromkeys(command.channels)) if command.channels else None
    if channels is None and to.user_id is None:
        channels = (Channel.EMAIL,) if to.email else (Channel.SMS,)
    told = {"name": None, "unsubscribe_url": ""} | command.data
    for channel in channels or (Channel.EMAIL,):
        try:
            catalogue.render(command.template, channel.value, command.locale, None, told)
        except RenderingError as error:
            raise TemplateMismatchError(str(error)) from error
    letter = Letter(
        dedup_key=key_of("asked", caller, command.dedup_key or str(uuid7())),
        category=command.category,
        template=command.template,
        data=orjson.dumps(command.data).decode(),
        user_id=to.user_id,
        email=to.email,
        phone=to.phone,
        locale=command.locale,
        not_before=command.not_before,
        channels=channels,
    )
    ways = (await preferences.addressed_ways(tx, [letter]))[0]
    await queue(tx, [replace(letter, channels=ways)], [None])
    return await store.get_by_key(tx, _key_by(letter, ways[0]))


async def unsubscribe(tx: AsyncSession, reader: Reader) -> None:
    """Send *reader* no more marketing mail; doing so twice is as good as once."""
    if reader.user_id:
        await preferences.decline_marketing(tx, reader.user_id)
    elif reader.address:
        await suppressions.decline_marketing(tx, reader.address)


async def page(tx: AsyncSession, user_id: UUID, before: UUID | None, limit: int) -> NotificationPage:
    """Return what was written to *user_id*, newest first."""
    rows = await store.list_of_user(tx, user_id, before or _LAST, limit)
    items = [NotificationView.model_validate(row) for row in rows]
    return NotificationPage(items=items, next=items[-1].id if len(items) == limit else None)
