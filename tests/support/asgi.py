"""Calls an ASGI application as its sidecar would, without a socket."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.types import ASGIApp, Message

APP_TOKEN = "a-token-for-tests-only"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


async def call(
    app: ASGIApp,
    method: str,
    url: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    *,
    patient: bool = False,
) -> Reply:
    """Send one request; *body* is JSON unless it is bytes. Who is *patient* stays until a stream has ended."""
    content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
    sent = {"dapr-api-token": APP_TOKEN, "content-type": "application/json", "content-length": str(len(content))}
    parts = urlsplit(url)
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": parts.path, "raw_path": parts.path.encode(), "query_string": parts.query.encode(),
        "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "headers": [(k.lower().encode(), v.encode()) for k, v in {**sent, **(headers or {})}.items() if v],
    }  # fmt: skip
    messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
    received: list[Message] = []

    async def receive() -> Message:
        if not messages and patient:
            await asyncio.Event().wait()
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        received.append(message)

    await app(scope, receive, send)
    start = received[0]
    reply_headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], reply_headers, b"".join(message.get("body", b"") for message in received[1:]))
