from typing import ClassVar
from uuid import UUID

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
