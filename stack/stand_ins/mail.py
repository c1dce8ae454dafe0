"""Reading a mail: the standard library's older policy, which is several times faster than the new one."""

from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from typing import Any


def _text(value: object) -> str:
    try:
        return str(make_header(decode_header(str(value))))
    except (HeaderParseError, LookupError, ValueError):
        return str(value)


def _addresses(mail: Message, name: str) -> list[str]:
    return [address for _, address in getaddresses([str(value) for value in mail.get_all(name, [])]) if address]


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        return data.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def parse(raw: bytes) -> dict[str, Any]:
    """Return from, to, cc, subject, html, text and headers; what the mail does not have is None or empty."""
    mail = message_from_bytes(raw)
    found: dict[str, str] = {}
    for part in mail.walk():
        if not part.is_multipart() and part.get_content_disposition() != "attachment":
            found.setdefault(part.get_content_type(), _content(part))
    seen: dict[str, Any] = {
        "to": _addresses(mail, "To"),
        "cc": _addresses(mail, "Cc"),
        "subject": _text(mail["Subject"]) if mail["Subject"] is not None else None,
        "html": found.get("text/html"),
        "text": found.get("text/plain"),
        "headers": {name: _text(value) for name, value in mail.items()},
    }
    sender = _addresses(mail, "From")
    return seen | {"from": sender[0]} if sender else seen
