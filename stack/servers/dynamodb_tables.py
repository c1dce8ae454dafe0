"""Moto's tables behind DynamoDB's own protocol, in one thread and with a journal.

Run beside moto's packages and nothing of ours. Moto's own server finds out anew for each request which of Amazon's
services it is for, and has a connection and a thread for each: that took two thirds of its time.
"""

import asyncio
import functools
import io
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from moto.core import responses  # pyright: ignore[reportMissingImports]
from moto.core.request import Request  # pyright: ignore[reportMissingImports]
from moto.dynamodb.responses import DynamoHandler  # pyright: ignore[reportMissingImports]

WRITES: Final = frozenset(
    {"CreateTable", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
)
URL: Final = "http://127.0.0.1/"
JSON: Final = "application/x-amz-json-1.0"
FIXED: Final = {
    "REQUEST_METHOD": "POST",
    "SERVER_NAME": "127.0.0.1",
    "SERVER_PORT": "80",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "wsgi.url_scheme": "http",
}
PLAIN: Final = {"CONTENT_TYPE", "CONTENT_LENGTH"}

# They do not change, and looking them up took a tenth of each request.
responses.method_names_from_class = functools.cache(responses.method_names_from_class)


def answer(headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any], str | bytes]:
    """Return moto's answer to one request; *headers* have the names that CGI gives them."""
    request = Request({**FIXED, **headers, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)})
    reply: tuple[int, dict[str, Any], str | bytes] = DynamoHandler.dispatch(request, URL, request.headers)
    return reply


class Journal:
    """Every write, a line each: what is in memory is done again from it before anybody is let in."""

    def __init__(self, file: BinaryIO, signed: str) -> None:
        self._file, self._signed = file, signed

    def note(self, region: str, target: str, body: str) -> None:
        """Keep a write, even should the process be killed while it is done."""
        if target.rpartition(".")[2] in WRITES:
            self._file.write(json.dumps([region, target, body]).encode() + b"\n")
            self._file.flush()

    def redo(self) -> int:
        """Do again what was written, and tell how much that was."""
        self._file.seek(0)
        whole = self._file.read()
        # a last line that a kill cut off goes: nobody was told that it was written, and the next is no part of it
        self._file.truncate(whole.rfind(b"\n") + 1)
        *lines, _ = whole.split(b"\n")
        for line in lines:
            self.do(*json.loads(line))
        return len(lines)

    def do(self, region: str, target: str, body: str) -> None:
        """Answer a request that nobody waits for."""
        signed = {"HTTP_AUTHORIZATION": self._signed.format(region), "HTTP_X_AMZ_TARGET": target}
        answer({**signed, "CONTENT_TYPE": JSON}, body.encode())


async def converse(journal: Journal, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request after the other until the caller goes."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            headers = dict(_headers((await reader.readuntil(b"\r\n\r\n")).decode("latin-1")))
            body = await reader.readexactly(int(headers.get("CONTENT_LENGTH", 0)))
            region = headers.get("HTTP_AUTHORIZATION", "///").split("/")[2]
            journal.note(region, headers.get("HTTP_X_AMZ_TARGET", ""), body.decode())
            status, told, text = answer(headers, body)
            content = text.encode() if isinstance(text, str) else text
            told = {name: value for name, value in told.items() if name != "status"} | {"content-length": len(content)}
            lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in told.items()), "", ""]
            writer.write("\r\n".join(lines).encode("latin-1") + content)
            await writer.drain()
    writer.close()


def _headers(head: str) -> Iterator[tuple[str, str]]:
    for line in head.splitlines()[1:-1]:
        name, _, value = line.partition(":")
        key = name.upper().replace("-", "_")
        yield key if key in PLAIN else f"HTTP_{key}", value.strip()


async def serve(port: int, file: Path, region: str, signed: str, create: str) -> None:
    """Let callers in once all is there as it was; a new journal begins with its table."""
    with file.open("a+b") as kept:
        journal = Journal(kept, signed)
        if not journal.redo():
            target = "DynamoDB_20120810.CreateTable"
            journal.note(region, target, create)
            journal.do(region, target, create)
        async with await asyncio.start_server(functools.partial(converse, journal), "127.0.0.1", port) as server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:6]))
