"""Everything that makes a message's words: its template, what it says, and the link that stops more of its kind."""

from dataclasses import dataclass

from apps.chassis.codec import Codec
from apps.notifications.calls import Call, Sender, call_of
from apps.notifications.catalogue import Catalogue
from apps.notifications.domain import Category
from apps.notifications.links import Links, Reader
from apps.notifications.messages import Message, contents
from apps.notifications.sources import Channel


@dataclass(frozen=True, slots=True)
class Composer:
    """Turns a message into the call of a component."""

    catalogue: Catalogue
    links: Links
    sender: Sender
    codec: Codec

    def compose(self, message: Message, address: str) -> Call:
        """Fill in its template; RenderingError, UnknownTemplateError or ValueError where that cannot be."""
        told = {"name": message.name} | contents(message, self.codec)
        link = None
        if message.category is Category.MARKETING:
            reader = Reader(message.user_id, None if message.user_id else address)
            link = self.links.unsubscribe(reader)
            told["unsubscribe_url"] = link
        channel = message.channel.value
        rendered = self.catalogue.render(message.template, channel, message.locale, message.timezone, told)
        one_click = link if message.channel is Channel.EMAIL else None
        return call_of(message, rendered, address, self.sender, one_click)
