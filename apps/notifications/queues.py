"""What a process has claimed, in the order it is to go out, by channel."""

import asyncio
from typing import Final
from uuid import UUID

from apps.notifications.domain import REPEATABLE
from apps.notifications.messages import Message
from apps.notifications.sources import Channel

# What may be repeated is a lane's for the asking: after a crash, all that was claimed goes out marked as maybe taken. A
# text message that was only claimed must be told from one that may have been sent, for the price of a statement.
_NOTED: Final = tuple(channel for channel in Channel if channel not in REPEATABLE)

Line = tuple[int, UUID, Message]


class Queues:
    """A line for each channel of what is a lane's for the asking; what must first be noted waits in another."""

    def __init__(self) -> None:
        self._waiting: dict[Channel, asyncio.PriorityQueue[Line]] = {way: asyncio.PriorityQueue() for way in _NOTED}
        self._begun: dict[Channel, asyncio.PriorityQueue[Line]] = {way: asyncio.PriorityQueue() for way in Channel}
        self._hungry = dict.fromkeys(Channel, 0)
        self.wanted = asyncio.Event()
        """Set where a lane may have to wait for want of something begun."""

    def wait(self, message: Message) -> None:
        """Put a message in line: by priority, then by age."""
        waiting = self._waiting.get(message.channel)
        if waiting is None:
            self.begin(message)
            return
        waiting.put_nowait((message.priority, message.id, message))
        self.wanted.set()

    def begin(self, message: Message) -> None:
        """Let a lane have it."""
        self._begun[message.channel].put_nowait((message.priority, message.id, message))

    async def next(self, channel: Channel) -> Message:
        """Return the most urgent that was begun; wait for one."""
        self._hungry[channel] += 1
        if channel in self._waiting:
            self.wanted.set()
        try:
            return (await self._begun[channel].get())[2]
        finally:
            self._hungry[channel] -= 1

    def another(self, channel: Channel) -> Message | None:
        """Return the most urgent that was begun, where there is one that may share a call with others."""
        line = self._begun[channel]
        if line.empty():
            return None
        first = line.get_nowait()
        if first[2].may_share:
            return first[2]
        line.put_nowait(first)
        return None

    def choose(self) -> list[Message]:
        """Take what should be begun now out of the lines."""
        self.wanted.clear()
        chosen: list[Message] = []
        for channel, waiting in self._waiting.items():
            room = self._hungry[channel] - self._begun[channel].qsize()
            chosen += [waiting.get_nowait()[2] for _ in range(min(room, waiting.qsize()))]
        return chosen
