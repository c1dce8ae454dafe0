"""Signed links: whoever holds one may stop what it names, and nothing else."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

_MAC_BYTES = 16
_USER, _ADDRESS = b"u", b"a"


class BadLinkError(Exception):
    """The link was not made here, or not as it is."""

    def __init__(self) -> None:
        super().__init__("This link is not complete; open it from the mail once more.")


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a link is about: somebody we know, or an address alone."""

    user_id: UUID | None = None
    address: str | None = None


class Links:
    """Makes and reads links under a key of its own, derived from the service's; they do not go stale."""

    def __init__(self, secret: str, base: str) -> None:
        self._key = hmac.digest(secret.encode(), b"unsubscribe links", hashlib.sha256)
        self._base = base

    def unsubscribe(self, reader: Reader) -> str:
        """Return the link by which *reader* stops marketing mail."""
        told = _USER + reader.user_id.bytes if reader.user_id else _ADDRESS + (reader.address or "").encode()
        token = base64.urlsafe_b64encode(told + self._mac(told)).rstrip(b"=").decode()
        return f"{self._base}/unsubscribe?token={quote(token)}"

    def read(self, token: str) -> Reader:
        """Return whom *token* is about; BadLinkError where it was altered."""
        try:
            whole = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadLinkError from error
        told, mac = whole[:-_MAC_BYTES], whole[-_MAC_BYTES:]
        if not told or not hmac.compare_digest(self._mac(told), mac):
            raise BadLinkError
        if told[:1] == _USER:
            return Reader(user_id=UUID(bytes=told[1:]))
        return Reader(address=told[1:].decode())

    def _mac(self, told: bytes) -> bytes:
        return hmac.digest(self._key, told, hashlib.sha256)[:_MAC_BYTES]
