"""The push provider: Dapr's http binding posts the text to `/` with X-To (a device or user) and Title."""

import os
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins import serving
from stack.stand_ins.database import open_database
from stack.stand_ins.faults import FaultBox
from stack.stand_ins.inbox import create_app
from stack.stand_ins.messages import SCHEMA, Messages
from stack.stand_ins.receiving import custom_headers, fields, receive, text_of

_SENDER: Final = "Sidecart"


def routes(messages: Messages, faults: FaultBox, token: str) -> list[Route]:
    """Return the way in; header fields win over the body's `to` and `title`."""

    async def plain(request: Request) -> Response:
        def read(body: bytes) -> tuple[str, str, bytes]:
            text, document = text_of(body)
            to = request.headers.get("x-to") or str(document.get("to", ""))
            title = request.headers.get("title") or document.get("title")
            subject = str(title) if title is not None else None
            return _SENDER, to, fields([to], subject, text, custom_headers(request))

        return await receive(request, messages, faults, token, read)

    return [Route("/", plain, methods=["POST"])]


def main() -> None:
    """Run until told to stop. PUSH_TOKEN, when set, is demanded."""
    options = serving.arguments("push")
    listener = serving.listen("push", options.port)
    messages, faults = Messages(open_database(options.data, "push", SCHEMA), orjson.loads), FaultBox()
    receive_on = routes(messages, faults, os.environ.get("PUSH_TOKEN", ""))
    serving.serve("push", create_app("Push", messages, faults, receive_on), listener)


if __name__ == "__main__":
    main()
