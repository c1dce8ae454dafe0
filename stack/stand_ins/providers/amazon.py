"""Amazon's SES and SNS, as far as mails and text messages go through them: the Query protocol, signed (version 4)."""

import hashlib
import hmac
import os
import re
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.stand_ins.providers.channel import Channel, Taken

REGION: Final = "eu-central-1"
SES: Final = f"email.{REGION}.amazonaws.com"
SNS: Final = f"sns.{REGION}.amazonaws.com"
_SPACES: Final = {"ses": "http://ses.amazonaws.com/doc/2010-12-01/", "sns": "http://sns.amazonaws.com/doc/2010-03-31/"}
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), "
    r"SignedHeaders=(?P<names>[^,]+), Signature=(?P<is>\w+)"
)


def ses(mail: Channel) -> list[Route]:
    """Return `SendEmail`."""

    async def send(request: Request) -> Response:
        form = await _signed_form(request, "ses")
        if form is None:
            return _error("ses", "SignatureDoesNotMatch", 403)
        to, cc, bcc = (_members(form, f"Destination.{kind}Addresses.member") for kind in ("To", "Cc", "Bcc"))
        if form.get("Action") != "SendEmail" or not to or "Source" not in form:
            return _error("ses", "ValidationError", 400)
        message = Taken(
            sender=form["Source"],
            to=to,
            cc=cc,
            bcc=bcc,
            subject=form.get("Message.Subject.Data", ""),
            html=form.get("Message.Body.Html.Data"),
            text=form.get("Message.Body.Text.Data"),
        )
        return await mail.take(
            request, message, _answer("ses", "SendEmail"), lambda status: _error("ses", _word(status), status)
        )

    return [Route("/", send, methods=["POST"])]


def sns(texts: Channel) -> list[Route]:
    """Return `Publish` to a telephone number."""

    async def publish(request: Request) -> Response:
        form = await _signed_form(request, "sns")
        if form is None:
            return _error("sns", "SignatureDoesNotMatch", 403)
        said, number = form.get("Message"), form.get("PhoneNumber", "")
        if form.get("Action") != "Publish" or not _NUMBER.fullmatch(number) or not said:
            return _error("sns", "InvalidParameter", 400)
        message = Taken("Sidecart", [number], text=said)
        return await texts.take(
            request, message, _answer("sns", "Publish"), lambda status: _error("sns", _word(status), status)
        )

    return [Route("/", publish, methods=["POST"])]


async def _signed_form(request: Request, service: str) -> dict[str, str] | None:
    """Return what the request says; None where it does not bear our signature."""
    body = await request.body()
    if not _signed(request, body, service):
        return None
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _members(form: Mapping[str, str], prefix: str) -> list[str]:
    return [value for name, value in form.items() if name.startswith(f"{prefix}.")]


def _signed(request: Request, body: bytes, service: str) -> bool:
    """Tell whether the request bears our key, and a signature by its secret over itself."""
    told = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if told is None or told["key"] != os.environ[f"{service.upper()}_ACCESS_KEY"]:
        return False
    headers = "".join(
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in told["names"].split(";")
    )
    canonical = f"POST\n/\n\n{headers}\n{told['names']}\n{hashlib.sha256(body).hexdigest()}"
    moment = request.headers.get("x-amz-date", "")
    said = f"AWS4-HMAC-SHA256\n{moment}\n{told['scope']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + os.environ[f"{service.upper()}_SECRET_KEY"].encode()
    for part in told["scope"].split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    of_this = told["scope"] == f"{moment[:8]}/{REGION}/{service}/aws4_request"
    return of_this and hmac.compare_digest(hmac.new(key, said.encode(), "sha256").hexdigest(), told["is"])


def _answer(service: str, action: str) -> Response:
    result = f"<{action}Result><MessageId>{uuid.uuid4()}</MessageId></{action}Result>"
    return _xml(f"<{action}Response xmlns={_SPACES[service]!r}>{result}</{action}Response>", 200)


def _word(status: int) -> str:
    return {400: "InvalidParameter", 403: "AccessDenied", 429: "Throttling"}.get(status, "InternalFailure")


def _error(service: str, code: str, status: int) -> Response:
    said = f"<Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(code)}</Message></Error>"
    return _xml(f"<ErrorResponse xmlns={_SPACES[service]!r}>{said}</ErrorResponse>", status)


def _xml(text: str, status: int) -> Response:
    return Response(text, status, media_type="text/xml")
