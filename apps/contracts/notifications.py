from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from apps.contracts.base import Event


class OutgoingMessage(Event):
    """A message is ready to be sent; its text stays in the notifications database."""

    pubsub: ClassVar = "notification-queue"
    aggregate: ClassVar = "message_id"

    message_id: UUID


class OutgoingSecurity(OutgoingMessage):
    """Overtakes everything: sign-in and account mail."""

    topic: ClassVar = "outgoing-security"


class OutgoingOrders(OutgoingMessage):
    """What a customer waits for after buying."""

    topic: ClassVar = "outgoing-orders"


class OutgoingMarketing(OutgoingMessage):
    """What nobody waits for."""

    topic: ClassVar = "outgoing-marketing"


class NotificationFact(Event):
    """What became of a message; nothing here says what it said, or to which address."""

    aggregate: ClassVar = "notification_id"

    notification_id: UUID
    user_id: UUID | None
    template: str
    category: Literal["security", "orders", "marketing"]
    channel: Literal["email", "sms", "push"]


class NotificationDelivered(NotificationFact):
    """A provider took the message, or said later that it arrived."""

    topic: ClassVar = "notification-delivered"

    delivered_at: AwareDatetime


class NotificationFailed(NotificationFact):
    """The message was given up; it is kept among the undelivered."""

    topic: ClassVar = "notification-failed"

    reason: str
    failed_at: AwareDatetime
