import hashlib
import secrets
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

SCOPES: Final = {
    "customer": ("profile", "orders", "payments", "notifications"),
    "support": ("support",),
    "staff": ("catalogue",),
    "admin": ("admin",),
}
EVERY_SCOPE: Final = tuple(scope for scopes in SCOPES.values() for scope in scopes)
_SECRET_BYTES = 32
_SHOP_WORDS: Final = frozenset({"sidecart", "sidecartadmin", "sidecartstaff", "sidecartsupport", "sidecartcustomer"})
"""What everybody who is to guess a password here tries first; see docs/identity.md."""


class Purpose(StrEnum):
    """What a one-time token is good for."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105  # a purpose
    CHANGE_EMAIL_OLD = "email_change_old"
    CHANGE_EMAIL_NEW = "email_change_new"


class Status(StrEnum):
    """Whether an account may be used."""

    ACTIVE = "active"
    LOCKED = "locked"


class CredentialsRefusedError(Exception):
    """Address, password or code is wrong, or the account is locked; nobody is told which."""

    def __init__(self) -> None:
        super().__init__("The e-mail address, the password or the code is not right.")


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


class SessionEndedError(Exception):
    """The access token has not expired yet, but its session has ended."""

    def __init__(self) -> None:
        super().__init__("This session has ended; sign in again.")


class SignInTooOldError(Exception):
    """What was asked for needs somebody who proved a moment ago who they are."""

    def __init__(self) -> None:
        super().__init__("This needs a session that began a moment ago; sign in again and repeat it.")


class PasswordWrongError(Exception):
    """The caller's own password is not the one given."""

    def __init__(self) -> None:
        super().__init__("The current password is not right.")


class PasswordTooCommonError(Exception):
    """Whoever guesses this person's password tries this one early."""

    def __init__(self, field: str) -> None:
        super().__init__("Some fields are not valid.")
        detail = "is a word of this shop, or your own name or address, with little around it; choose another"
        self.pointers = [{"pointer": f"#/{field}", "detail": detail}]


class SecondFactorOnError(Exception):
    """The account has a second factor already."""

    def __init__(self) -> None:
        super().__init__("A second factor is set up; remove it before another is set up.")


class CodeRefusedError(Exception):
    """The code does not belong to the secret, or was used."""

    def __init__(self) -> None:
        super().__init__("The code is not right, or was used before; wait for the next.")


class LastAdministratorError(Exception):
    """Nobody would be left to give the role back."""

    def __init__(self) -> None:
        super().__init__("This is the last administrator; make another one first.")


class ClientNotFoundError(Exception):
    """There is no such machine client, or it is revoked."""

    def __init__(self) -> None:
        super().__init__("There is no such client, or it is revoked.")


class OperatorTokensOffError(Exception):
    """This system does not let its operator make tokens."""

    def __init__(self) -> None:
        super().__init__("Tokens are not made here; set USERS_OPERATOR_TOKENS=true where this system is for trying.")


def scope_of(roles: Iterable[str]) -> str:
    """Return the scopes that *roles* bring, as the `scope` claim wants them."""
    return " ".join(scope for role in sorted(roles) for scope in SCOPES.get(role, ()))


def roles_within(scopes: Iterable[str]) -> list[str]:
    """Return the roles that a machine client plays: those beyond a customer's whose scopes it holds."""
    held = set(scopes)
    return [role for role, needed in SCOPES.items() if role != "customer" and held.issuperset(needed)]


def refuse_own_words(field: str, password: str, email: str, name: str | None) -> None:
    """Raise PasswordTooCommonError where *password* is a word of the shop or its owner's, whatever stands around it."""
    local, _, host = email.lower().partition("@")
    about = {email.lower(), local, host, host.partition(".")[0], *(name or "").lower().split()}
    words = _SHOP_WORDS | {_letters(word) for word in {*about, (name or "").lower()}} - {""}
    if _letters(password.lower()) in words:
        raise PasswordTooCommonError(field)


def _letters(text: str) -> str:
    """Return the letters alone: digits and signs are what people put around a word."""
    return "".join(letter for letter in text if letter.isalpha())


def digest(secret: bytes) -> bytes:
    """Return what is stored in place of a random secret; it needs no salt, having 128 bits and more."""
    return hashlib.sha256(secret).digest()


def new_secret() -> str:
    """Return a token for a mail's link, or a client's secret."""
    return secrets.token_urlsafe(_SECRET_BYTES)
