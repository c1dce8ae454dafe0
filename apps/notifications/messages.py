"""A message as its sender holds it."""

from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any
from uuid import UUID

import orjson

from apps.chassis.codec import Codec
from apps.contracts.users import Contact
from apps.notifications.domain import Category
from apps.notifications.sources import Channel


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed message; `address` is None while its contact is unknown, and what is `sealed` is not in `data`."""

    id: UUID
    user_id: UUID | None
    channel: Channel
    address: str | None
    known: bool
    """Whether we have heard of the recipient."""
    name: str | None
    locale: str | None
    timezone: str | None
    quiet_from: time | None
    quiet_to: time | None
    declined: bool
    suppressed: bool
    recent: int
    """How much of its kind the recipient was written to within a day, where that is limited."""
    digest: str | None
    """How often the recipient wants news of its kind told together; None where it goes out by itself."""
    lost: bool
    """An answer to an earlier attempt was lost."""
    category: Category
    priority: int
    template: str
    campaign_id: UUID | None
    data: dict[str, Any]
    sealed: bytes | None
    attempts: int
    first_tried_at: datetime
    traceparent: str | None = None
    """Where the trace of what it comes from goes on."""

    @property
    def is_stranger(self) -> bool:
        """Tell whether users has to be asked how to reach the recipient."""
        return self.address is None and not self.known and self.user_id is not None

    @property
    def may_share(self) -> bool:
        """Tell whether it may go out with others, and wait for their end: nobody waits for it, and nothing is odd."""
        return (
            self.category is Category.MARKETING
            and self.channel is Channel.EMAIL
            and self.attempts == 1
            and not self.lost
            and self.traceparent is None
        )


def message_of(row: Any) -> Message:
    """Read a claimed row."""
    fields = row._asdict()
    return Message(**fields | {"category": Category(row.category), "channel": Channel(row.channel)})


def contents(message: Message, codec: Codec) -> dict[str, Any]:
    """Return what its template asks for; ValueError where that was sealed under another key, or altered."""
    if message.sealed is None:
        return message.data
    opened: dict[str, Any] = orjson.loads(codec.open(message.sealed, context_of(message.id)))
    return opened


def context_of(id_: UUID) -> str:
    """Return what a message's content is sealed for."""
    return f"messages:{id_}"


def addressed(message: Message, contact: Contact) -> Message:
    """Return *message* as it goes to *contact*."""
    address = contact.phone if message.channel is Channel.SMS else contact.email
    return replace(
        message,
        address=address,
        known=True,
        name=contact.name,
        locale=message.locale or contact.locale,
        timezone=message.timezone or contact.timezone,
    )
