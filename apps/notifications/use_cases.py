from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis import outbox
from apps.contracts.base import Event
from apps.contracts.notifications import OutgoingMarketing, OutgoingMessage, OutgoingOrders, OutgoingSecurity
from apps.contracts.users import Contact
from apps.notifications import rendering, store
from apps.notifications.domain import Category
from apps.notifications.letters import Letter, key_of
from apps.notifications.rendering import RenderingError
from apps.notifications.schemas import NotificationPage, NotificationView, SendNotification

_QUEUES: dict[Category, type[OutgoingMessage]] = {
    Category.SECURITY: OutgoingSecurity,
    Category.ORDERS: OutgoingOrders,
    Category.MARKETING: OutgoingMarketing,
}
_LAST = UUID(int=(1 << 128) - 1)


class TemplateMismatchError(Exception):
    """The data sent does not fit the template."""


async def queue(tx: AsyncSession, letters: Sequence[Letter], causes: Sequence[Event | None]) -> None:
    """Write each letter once and promise to send it; *causes* are the facts they come from."""
    new = await store.add(tx, letters)
    for letter, cause in zip(letters, causes, strict=True):
        id_ = new.pop(letter.dedup_key, None)
        if id_ is not None and letter.not_before is None:
            outbox.record(tx, _QUEUES[letter.category](message_id=id_, sequence=1), caused_by=cause)


async def keep_contacts(tx: AsyncSession, contacts: Sequence[Contact]) -> None:
    """Remember how people are reached, as of the newest fact about each."""
    await store.keep_contacts(tx, contacts)


async def accept(tx: AsyncSession, caller: str, command: SendNotification) -> UUID:
    """Queue what *caller*, another service, asks for, unless it asked before; return the message's id."""
    try:
        rendering.render(command.template, command.locale, None, {"name": None} | command.data)
    except RenderingError as error:
        raise TemplateMismatchError(str(error)) from error
    letter = Letter(
        dedup_key=key_of("asked", caller, command.dedup_key or str(uuid7())),
        category=command.category,
        template=command.template,
        data=orjson.dumps(command.data).decode(),
        user_id=command.recipient.user_id,
        email=command.recipient.email,
        locale=command.locale,
        not_before=command.not_before,
    )
    await queue(tx, [letter], [None])
    return await store.get_by_key(tx, letter.dedup_key)


async def page(tx: AsyncSession, user_id: UUID, before: UUID | None, limit: int) -> NotificationPage:
    """Return what was written to *user_id*, newest first."""
    rows = await store.list_of_user(tx, user_id, before or _LAST, limit)
    items = [NotificationView.model_validate(row) for row in rows]
    return NotificationPage(items=items, next=items[-1].id if len(items) == limit else None)
