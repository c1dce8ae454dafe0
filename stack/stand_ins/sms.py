"""The SMS provider: Dapr's http binding posts the text to `/` with X-To-Number; Twilio's own form works as well."""

import base64
import hmac
import os
import uuid
from typing import Final
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins import serving
from stack.stand_ins.database import open_database
from stack.stand_ins.faults import FaultBox, answer
from stack.stand_ins.inbox import create_app
from stack.stand_ins.messages import SCHEMA, Messages
from stack.stand_ins.problems import as_json
from stack.stand_ins.receiving import custom_headers, fields, receive, text_of

_SENDER: Final = "Sidecart"


def _twilio_error(status: int, code: int, message: str) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return as_json({"code": code, "message": message, "more_info": more, "status": status}, status)


def _twilio_admits(request: Request, token: str) -> bool:
    account = request.path_params["sid"]
    expected = base64.b64encode(f"{account}:{token}".encode()).decode()
    return not token or hmac.compare_digest(
        request.headers.get("authorization", "").encode(), f"Basic {expected}".encode()
    )


def routes(messages: Messages, faults: FaultBox, token: str) -> list[Route]:
    """Return both ways in; *token* is the bearer token, and Twilio's auth token."""

    async def plain(request: Request) -> Response:
        def read(body: bytes) -> tuple[str, str, bytes]:
            text, document = text_of(body)
            to = request.headers.get("x-to-number") or str(document.get("to", ""))
            sender = request.headers.get("x-from-number") or str(document.get("from", _SENDER))
            return sender, to, fields([to], None, text, custom_headers(request))

        return await receive(request, messages, faults, token, read)

    return [Route("/", plain, methods=["POST"]), twilio(messages, faults, token)]


def twilio(messages: Messages, faults: FaultBox, token: str) -> Route:
    """Return Twilio's way in; *token* is its auth token."""

    async def create(request: Request) -> Response:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        if not _twilio_admits(request, token):
            return _twilio_error(401, 20003, "Authenticate")
        to, sender, text = (form.get(name, [""])[0] for name in ("To", "From", "Body"))
        if not to:
            return _twilio_error(400, 21604, "A 'To' phone number is required.")
        if not text:
            return _twilio_error(400, 21602, "Message body is required.")

        def keep() -> Response:
            messages.add(sender, [to], fields([to], None, text, {"provider": request.url.hostname or ""}))
            return as_json(_twilio_message(request.path_params["sid"], to, sender, text), status=201)

        def refused(status: int) -> Response:
            return _twilio_error(status, 20000 + status, "Told to fail by PUT /faults")

        return await answer(request, faults.draw(), keep, refused)

    return Route("/2010-04-01/Accounts/{sid}/Messages.json", create, methods=["POST"])


def _twilio_message(account: str, to: str, sender: str, text: str) -> dict[str, object]:
    sid = f"SM{uuid.uuid4().hex}"
    return {
        "sid": sid,
        "account_sid": account,
        "to": to,
        "from": sender,
        "body": text,
        "status": "queued",
        "direction": "outbound-api",
        "num_segments": "1",
        "num_media": "0",
        "error_code": None,
        "error_message": None,
        "uri": f"/2010-04-01/Accounts/{account}/Messages/{sid}.json",
    }


def main() -> None:
    """Run until told to stop. SMS_TOKEN, when set, is demanded."""
    options = serving.arguments("sms")
    listener = serving.listen("sms", options.port)
    messages, faults = Messages(open_database(options.data, "sms", SCHEMA), orjson.loads), FaultBox()
    receive_on = routes(messages, faults, os.environ.get("SMS_TOKEN", ""))
    serving.serve("sms", create_app("SMS", messages, faults, receive_on), listener)


if __name__ == "__main__":
    main()
