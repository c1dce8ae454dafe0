"""A device that signed in once is told from a stranger: whoever guesses at an account cannot keep its owner out.

The token holds no right: with it a password is still needed. It only has its tries counted apart from everybody else's.
"""

import base64
import binascii
import hmac
import secrets
import time
from hashlib import sha256
from typing import Final
from uuid import UUID

_NONCE_BYTES = 16
_MAC_BYTES = 32
_GOOD_FOR_S: Final = 180 * 86_400


def issue(key: bytes, user_id: UUID) -> str:
    """Return a token for a device from which *user_id* has just signed in."""
    body = int(time.time()).to_bytes(5) + secrets.token_bytes(_NONCE_BYTES)
    return base64.urlsafe_b64encode(body + _mac(key, user_id, body)).decode().rstrip("=")


def recognise(key: bytes, user_id: UUID, token: str) -> bytes | None:
    """Return what tells this device of the user's from others; None where the token is another's, forged or too old."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(key, user_id, body)):
        return None
    return body if int.from_bytes(body[:5]) + _GOOD_FOR_S > time.time() else None


def _mac(key: bytes, user_id: UUID, body: bytes) -> bytes:
    return hmac.digest(key, user_id.bytes + body, sha256)
