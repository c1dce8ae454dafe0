"""The application that mailbox, sms and push share: messages, faults, a page, health."""

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Lifespan

from stack.stand_ins.faults import FaultBox
from stack.stand_ins.messages import Messages
from stack.stand_ins.pages import faults_note, page, table
from stack.stand_ins.problems import Invalid, on_http_error, on_invalid

_SHOWN: Final = 50


def _whole_number(request: Request, name: str, lowest: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) < 1 << 60:
        raise Invalid({name: f"must be a whole number, {lowest} or more"})
    return int(text)


def _routes(messages: Messages, faults: FaultBox, title: str) -> list[BaseRoute]:
    async def listing(request: Request) -> Response:
        to, after = request.query_params.get("to"), _whole_number(request, "after", 0)
        chunks = messages.stream(to, after, _whole_number(request, "limit", 1))
        return StreamingResponse(chunks, media_type="application/json")

    async def clear(_: Request) -> Response:
        messages.clear()
        return Response(status_code=204)

    async def home(_: Request) -> Response:
        newest = messages.page(None, messages.before_newest(None, _SHOWN), _SHOWN)[::-1]
        rows = [
            (m["id"], m["at"], m["from"], ", ".join(m["to"]), m["subject"] or "", m["text"] or m["html"] or "")
            for m in newest
        ]
        count = f"<p>{messages.count(None)} messages, the newest {len(rows)} shown. JSON: /messages?to=</p>"
        heads = ("id", "at", "from", "to", "subject", "message")
        return page(title, count, faults_note(faults.fields), table(heads, rows))

    return [
        Route("/messages", listing, methods=["GET"]),
        Route("/messages", clear, methods=["DELETE"]),
        Route("/", home, methods=["GET"]),
    ]


async def healthy(_: Request) -> Response:
    """Answer `GET /healthz`."""
    return PlainTextResponse("ok\n")


def create_app(
    title: str,
    messages: Messages,
    faults: FaultBox,
    receive: Sequence[BaseRoute] = (),
    lifespan: Lifespan[Starlette] | None = None,
) -> Starlette:
    """Return the application of one provider; *receive* holds the routes on which messages come in."""
    routes = [
        *receive,
        *_routes(messages, faults, title),
        *faults.routes(),
        Route("/healthz", healthy, methods=["GET"]),
    ]
    handlers = {HTTPException: on_http_error, Invalid: on_invalid}
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
