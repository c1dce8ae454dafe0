"""The tokens of one session, each made from the one before: whoever lost an answer is given the same one again."""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from apps.users.domain import RefreshRefusedError

_SECRET_BYTES = 32
_FAMILY_BYTES = 16
_BYTES = 16 + 4 + _FAMILY_BYTES + _SECRET_BYTES
_LAST_GENERATION = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A generation of a session's refresh tokens.

    `family` stays the same for all of them: it tells a token that was good once, whose reuse ends the session, from
    one that somebody made up from a session's id, which must not.
    """

    session_id: UUID
    generation: int
    family: bytes
    secret: bytes

    @classmethod
    def first(cls, session_id: UUID) -> Self:
        """Begin a family."""
        return cls(session_id, 1, secrets.token_bytes(_FAMILY_BYTES), secrets.token_bytes(_SECRET_BYTES))

    def next(self, key: bytes) -> Self:
        """Return the one token that replaces this one; without *key* nobody can tell what it is."""
        following = self.generation + 1
        said = self.session_id.bytes + following.to_bytes(4) + self.secret
        return replace(self, generation=following, secret=hmac.digest(key, said, hashlib.sha256))

    def dump(self) -> str:
        """Return the form that clients keep."""
        raw = self.session_id.bytes + self.generation.to_bytes(4) + self.family + self.secret
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    @classmethod
    def load(cls, token: str) -> Self:
        """Read what a client sent, or raise RefreshRefusedError."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefreshRefusedError from error
        generation = int.from_bytes(raw[16:20])
        if len(raw) != _BYTES or generation >= _LAST_GENERATION:
            raise RefreshRefusedError
        family, secret = raw[20 : 20 + _FAMILY_BYTES], raw[20 + _FAMILY_BYTES :]
        return cls(UUID(bytes=raw[:16]), generation, family, secret)
