import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

SCOPES: Final = {
    "customer": ("profile", "orders", "payments", "notifications"),
    "support": ("support",),
    "staff": ("catalogue",),
    "admin": ("admin",),
}
_SECRET_BYTES = 32
_FAMILY_BYTES = 16
_REFRESH_BYTES = 16 + 4 + _FAMILY_BYTES + _SECRET_BYTES


class Purpose(StrEnum):
    """What a one-time token is good for."""

    VERIFY_EMAIL = "verify_email"


class CredentialsRefusedError(Exception):
    """The address or the password is wrong; nobody is told which."""

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is not right.")


class RefreshRefusedError(Exception):
    """The refresh token is unknown, used, expired or of an ended session; nobody is told which."""

    def __init__(self) -> None:
        super().__init__("The refresh token is not valid; sign in again.")


class OneTimeTokenRefusedError(Exception):
    """The token was never issued, is used or has expired; nobody is told which."""

    def __init__(self) -> None:
        super().__init__("This link is not valid, or not any more.")


class UserNotFoundError(Exception):
    """There is no such account."""

    def __init__(self) -> None:
        super().__init__("There is no such user.")


class OperatorTokensOffError(Exception):
    """This system does not let its operator make tokens."""

    def __init__(self) -> None:
        super().__init__("Tokens are not made here; set USERS_OPERATOR_TOKENS=true where this system is for trying.")


def scope_of(roles: Iterable[str]) -> str:
    """Return the scopes that *roles* bring, as the `scope` claim wants them."""
    return " ".join(scope for role in sorted(roles) for scope in SCOPES.get(role, ()))


def digest(secret: bytes) -> bytes:
    """Return what is stored in place of a random secret; it needs no salt, having 128 bits and more."""
    return hashlib.sha256(secret).digest()


def new_one_time_token() -> str:
    """Return a token for a mail's link."""
    return secrets.token_urlsafe(_SECRET_BYTES)


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

    def next(self) -> Self:
        """Return the token that replaces this one."""
        return replace(self, generation=self.generation + 1, secret=secrets.token_bytes(_SECRET_BYTES))

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
        if len(raw) != _REFRESH_BYTES:
            raise RefreshRefusedError
        family, secret = raw[20 : 20 + _FAMILY_BYTES], raw[20 + _FAMILY_BYTES :]
        return cls(UUID(bytes=raw[:16]), int.from_bytes(raw[16:20]), family, secret)
