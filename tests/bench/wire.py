"""A lean HTTP/1.1 client: whatever the load generator burns, the system cannot have."""

import asyncio
from typing import Final, cast

import httptools

PATIENCE_S: Final = 30.0
LOST: Final = 0
"""The status of a request that got no answer."""


class Wire(asyncio.Protocol):
    """One connection that is kept open; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[None] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._status = LOST
        self.usable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's
        self._transport, self.usable = cast("asyncio.Transport", transport), True

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer"))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.close()
            if self._answer and not self._answer.done():
                self._answer.set_exception(ConnectionError(str(error)))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self.usable = self.usable and self._parser.should_keep_alive()
        if self._answer and not self._answer.done():
            self._answer.set_result(None)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request and return status and body; raise OSError or TimeoutError where there is no answer."""
        assert self._transport
        self._parser = httptools.HttpResponseParser(self)
        self._body.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._answer
        except BaseException:
            self.close()
            raise
        return self._status, b"".join(self._body)

    def close(self) -> None:
        self.usable = False
        if self._transport:
            self._transport.close()


class Wires:
    """Connections to one port, opened as they are needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Wire] = []
        self.opened = 0

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send on a connection that is free; return LOST and the reason where there is no answer."""
        try:
            wire = await self._take()
            answer = await wire.ask(request)
        except (OSError, TimeoutError) as error:
            return LOST, repr(error).encode()
        if wire.usable:
            self._idle.append(wire)
        else:
            wire.close()
        return answer

    async def _take(self) -> Wire:
        while self._idle:
            wire = self._idle.pop()
            if wire.usable:
                return wire
        self.opened += 1
        _, wire = await asyncio.get_running_loop().create_connection(Wire, "127.0.0.1", self._port)
        return wire

    def close(self) -> None:
        for wire in self._idle:
            wire.close()
