"""SendGrid's and Postmark's ways in, as far as mails go through them."""

import os
import uuid
from email.utils import getaddresses
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins.problems import as_json
from stack.stand_ins.providers.channel import Channel, Taken, same

SENDGRID: Final = "api.sendgrid.com"
POSTMARK: Final = "api.postmarkapp.com"
_BAD_TOKEN, _BAD_REQUEST, _BAD_JSON = 10, 300, 402


def sendgrid(mail: Channel) -> list[Route]:
    """Return the Mail Send API, version 3."""

    async def send(request: Request) -> Response:
        if not same(request.headers.get("authorization", ""), f"Bearer {os.environ['SENDGRID_API_KEY']}"):
            return _sendgrid_error("The provided authorization grant is invalid, expired, or revoked", 401)
        try:
            message = _from_sendgrid(orjson.loads(await request.body()))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            return _sendgrid_error(f"Bad Request: {error!r}", 400)
        accepted = Response(status_code=202, headers={"X-Message-Id": uuid.uuid4().hex})
        return await mail.take(request, message, accepted, lambda status: _sendgrid_error("Told to fail", status))

    return [Route("/v3/mail/send", send, methods=["POST"])]


def _from_sendgrid(asked: Any) -> Taken:
    [person] = asked["personalizations"]
    parts = {part["type"]: part["value"] for part in asked["content"]}

    def addresses(kind: str) -> list[str]:
        return [entry["email"] for entry in person.get(kind, [])]

    if not addresses("to"):
        raise ValueError("The to array is required for all personalization objects")
    return Taken(
        sender=asked["from"]["email"],
        to=addresses("to"),
        cc=addresses("cc"),
        bcc=addresses("bcc"),
        subject=person.get("subject") or asked["subject"],
        html=parts.get("text/html"),
        text=parts.get("text/plain"),
    )


def _sendgrid_error(message: str, status: int) -> Response:
    return as_json({"errors": [{"message": message, "field": None, "help": None}]}, status)


def postmark(mail: Channel) -> list[Route]:
    """Return the Email API."""

    async def send(request: Request) -> Response:
        if not same(request.headers.get("x-postmark-server-token", ""), os.environ["POSTMARK_SERVER_TOKEN"]):
            return _postmark_error(_BAD_TOKEN, "Request does not contain a valid Server token.", 401)
        try:
            asked: dict[str, Any] = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return _postmark_error(_BAD_JSON, "The JSON was not understood.", 422)
        to, cc, bcc = (_addresses(asked.get(name)) for name in ("To", "Cc", "Bcc"))
        sender = _addresses(asked.get("From"))
        if not to or not sender or not (asked.get("HtmlBody") or asked.get("TextBody")):
            return _postmark_error(_BAD_REQUEST, "Invalid 'To' address, 'From' address or body.", 422)
        html, text = asked.get("HtmlBody") or None, asked.get("TextBody") or None
        message = Taken(sender[0], to, cc, bcc, asked.get("Subject") or "", html, text)
        accepted = {"To": asked["To"], "MessageID": str(uuid.uuid4()), "ErrorCode": 0, "Message": "OK"}
        return await mail.take(
            request, message, as_json(accepted), lambda status: _postmark_error(status, "Told to fail", status)
        )

    return [Route("/email", send, methods=["POST"])]


def _addresses(text: object) -> list[str]:
    return [address for _, address in getaddresses([str(text or "")]) if address]


def _postmark_error(code: int, message: str, status: int) -> Response:
    return as_json({"ErrorCode": code, "Message": message}, status)
