"""How a message is put to a component: one shape for each channel, which every type of component understands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.notifications.domain import Category
from apps.notifications.messages import Message
from apps.notifications.rendering import Rendered
from apps.notifications.sources import Channel

_URGENCY: Final = {Category.SECURITY: "1", Category.ORDERS: "3", Category.MARKETING: "5"}
# Apple's: 10 is at once, 5 spares the battery.
_PUSH_PRIORITY: Final = {Category.SECURITY: "10", Category.ORDERS: "10", Category.MARKETING: "5"}
_MAX_TITLE: Final = 100


@dataclass(frozen=True, slots=True)
class Call:
    """What a binding is given."""

    data: Any
    metadata: dict[str, str]

    @property
    def size(self) -> int:
        """About how much it is to carry."""
        return len(str(self.data)) + sum(map(len, self.metadata.values()))


@dataclass(frozen=True, slots=True)
class Sender:
    """Who we are to providers."""

    mail_from: str = ""
    """Empty leaves it to the component; a request that said so would overrule what aws.ses was told."""
    message_domain: str = "sidecart.example"
    push_topic: str = ""


def call_of(message: Message, rendered: Rendered, address: str, sender: Sender, unsubscribe: str | None) -> Call:
    """Return the call; all fields are set always, since a component may keep what a request leaves out."""
    if message.channel is Channel.EMAIL:
        return Call(rendered.html, _mail(message, rendered, address, sender, unsubscribe))
    if message.channel is Channel.SMS:
        # twilio.sms reads the first, http sends the others as headers
        keys = {"X-To-Number": address, "X-Message-Id": str(message.id), "Idempotency-Key": str(message.id)}
        return Call(rendered.text, {"toNumber": address, **keys})
    return Call(_push_body(rendered, address), _push(message, rendered, address, sender))


def _mail(
    message: Message, rendered: Rendered, address: str, sender: Sender, unsubscribe: str | None
) -> dict[str, str]:
    """Spell copies as smtp has them (CC): with a second spelling (Cc) beside it aws.ses takes no field at all."""
    fields = {
        "emailTo": address,
        "emailCC": "",
        "emailBCC": "",
        "subject": rendered.subject,
        "priority": _URGENCY[message.category],
        # our own smtp component's; others take no notice
        "textBody": rendered.text,
        "listUnsubscribe": unsubscribe or "",
        "messageId": f"<{message.id}@{sender.message_domain}>",
        # then it sends only what it does not know that the server has taken
        "maybeTaken": "true" if message.lost else "",
    }
    return fields | ({"emailFrom": sender.mail_from} if sender.mail_from else {})


def _push(message: Message, rendered: Rendered, address: str, sender: Sender) -> dict[str, str]:
    return {
        "X-To": address,
        "Title": rendered.subject[:_MAX_TITLE],
        "X-Message-Id": str(message.id),
        "Idempotency-Key": str(message.id),
        "device-token": address,
        "apns-push-type": "alert",
        "apns-id": str(message.id),
        # a second push of the same id takes the first one's place on the device
        "apns-collapse-id": str(message.id),
        "apns-priority": _PUSH_PRIORITY[message.category],
        "apns-topic": sender.push_topic,
    }


def _push_body(rendered: Rendered, address: str) -> Mapping[str, Any]:
    """Return a document in which ntfy finds topic and message, apns its `aps`, and each what else it ignores."""
    alert = {"title": rendered.subject, "body": rendered.text}
    return {"topic": address, "title": rendered.subject, "message": rendered.text, "aps": {"alert": alert}}
