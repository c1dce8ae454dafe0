"""The way to the providers: a CONNECT proxy that knows their names, and lets nothing else off this machine."""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Final

_PIECE: Final = 65_536
_OPENED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REFUSED: Final = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


class Proxy:
    """Passes bytes on to one port of ours; `cut` ends the connection that came in by a port of the proxy."""

    def __init__(self, hosts: Collection[str], port: int) -> None:
        self._hosts, self._port = hosts, port
        self._open: dict[int, asyncio.StreamWriter] = {}

    def cut(self, port: int) -> None:
        """End a client's connection without a word."""
        if writer := self._open.get(port):
            writer.transport.abort()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            method, target = (await reader.readuntil(b"\r\n\r\n")).split()[:2]
            host, _, port = target.decode("latin-1").rpartition(":")
            if method != b"CONNECT" or host not in self._hosts or port != "443":
                print(f"providers: not let out: {host or target!r}", flush=True)
                writer.write(_REFUSED)
            else:
                await self._connect(reader, writer)
        writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        known_as: int = far_writer.get_extra_info("sockname")[1]
        self._open[known_as] = writer
        try:
            writer.write(_OPENED)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            del self._open[known_as]
            far_writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_PIECE):
            sink.write(data)
            await sink.drain()
    sink.close()
