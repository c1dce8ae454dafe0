"""What a process has claimed, in the order it is to go out, by channel."""

import asyncio
from typing import Final
from uuid import UUID

from apps.notifications.messages import Message
from apps.notifications.sources import Channel

# How many are noted as begun before a lane asks: a statement for eight costs little more than one for one. Those that a
# crash catches here are sent once more under the same Message-ID; a text message would not be, so none are ahead.
AHEAD: Final = {Channel.EMAIL: 8, Channel.SMS: 0, Channel.PUSH: 4}

Line = tuple[int, UUID, Message]


class Queues:
    """Two lines for each channel: what waits, and what has been noted as begun and is a lane's for the asking."""

    def __init__(self) -> None:
        self._waiting: dict[Channel, asyncio.PriorityQueue[Line]] = {way: asyncio.PriorityQueue() for way in Channel}
        self._begun: dict[Channel, asyncio.PriorityQueue[Line]] = {way: asyncio.PriorityQueue() for way in Channel}
        self._hungry = dict.fromkeys(Channel, 0)
        self.wanted = asyncio.Event()
        """Set where a lane may have to wait for want of something begun."""

    def wait(self, message: Message) -> None:
        """Put a message in line: by priority, then by age."""
        self._waiting[message.channel].put_nowait((message.priority, message.id, message))
        self.wanted.set()

    def begin(self, message: Message) -> None:
        """Let a lane have it."""
        self._begun[message.channel].put_nowait((message.priority, message.id, message))

    async def next(self, channel: Channel) -> Message:
        """Return the most urgent that was begun; wait for one."""
        begun = self._begun[channel]
        if begun.qsize() <= AHEAD[channel] // 2:
            self.wanted.set()
        self._hungry[channel] += 1
        try:
            return (await begun.get())[2]
        finally:
            self._hungry[channel] -= 1

    def choose(self) -> list[Message]:
        """Take what should be begun now out of the lines."""
        self.wanted.clear()
        chosen: list[Message] = []
        for channel, waiting in self._waiting.items():
            room = self._hungry[channel] + AHEAD[channel] - self._begun[channel].qsize()
            # nobody sends while a lane rests: then nothing more is begun than is begun already
            if self._hungry[channel] or self._begun[channel].qsize():
                chosen += [waiting.get_nowait()[2] for _ in range(min(room, waiting.qsize()))]
        return chosen
