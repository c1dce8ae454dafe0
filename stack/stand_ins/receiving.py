"""What sms and push share: messages that come in by HTTP, with a bearer token where one is set."""

import hmac
from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from stack.stand_ins.faults import FaultBox, answer
from stack.stand_ins.messages import Messages
from stack.stand_ins.problems import as_json, problem, refuse


def carries(request: Request, token: str) -> bool:
    """Tell whether the request bears *token*, an empty one admitting everybody.

    Dapr's http binding sends its securityToken just as it is, so the word `Bearer` may be absent.
    """
    offered = request.headers.get("authorization", "").removeprefix("Bearer ")
    return not token or hmac.compare_digest(offered.encode(), token.removeprefix("Bearer ").encode())


def text_of(body: bytes) -> tuple[str, dict[str, Any]]:
    """Return a message's text and the fields sent with it.

    The body is the text itself, the text as a JSON string (what a sidecar's HTTP API passes on), or a JSON object
    with the text as `message`, `text` or `body`.
    """
    plain = body.decode("utf-8", "replace")
    if plain[:1] not in ('"', "{"):
        return plain, {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return plain, {}
    if isinstance(document, str):
        return document, {}
    text = next((document[name] for name in ("message", "text", "body") if isinstance(document.get(name), str)), plain)
    return text, document


def fields(to: list[str], subject: str | None, text: str, headers: dict[str, str]) -> bytes:
    """Return the stored form of a message."""
    return orjson.dumps({"to": to, "subject": subject, "html": None, "text": text, "headers": headers})


def custom_headers(request: Request) -> dict[str, str]:
    """Return the headers that are about the message rather than the connection, never the credentials."""
    return {name: value for name, value in request.headers.items() if name.startswith("x-") or name == "title"}


async def receive(
    request: Request, messages: Messages, faults: FaultBox, token: str, read: Callable[[bytes], tuple[str, str, bytes]]
) -> Response:
    """Keep one message; *read* returns its sender, its recipient (empty if there is none) and its stored form."""
    body = await request.body()
    if not carries(request, token):
        return problem(401, "The bearer token is missing or wrong.")
    sender, to, stored = read(body)
    if not to:
        return problem(422, "The message has no recipient.", errors={"to": "missing"})

    def keep() -> Response:
        key = messages.add(sender, [to], stored)
        return as_json({"id": key, "status": "queued"}, status=201)

    return await answer(request, faults.draw(), keep, refuse)
