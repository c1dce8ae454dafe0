"""RFC 6238 as authenticator apps do it: SHA-1, six digits, half a minute."""

import hmac
import secrets
import string
from typing import Final

import pyotp
from pyotp.totp import TOTP

PERIOD_S: Final = 30
CODES: Final = 10
_DIGITS = 6
_ISSUER = "Sidecart"
# A clock may be half a minute off, either way.
_DRIFT: Final = (0, -1, 1)
# Without letters and digits that are taken for one another; of 31, so that 24 are 118 bits: hashed as they are, with no
# salt and at no cost, they are not found by trying.
_ALPHABET = "".join(sorted(set(string.ascii_lowercase + string.digits) - set("il1o0")))
_CODE_LENGTH, _GROUP = 24, 4


def new_secret() -> str:
    """Return 160 random bits, in the base32 that apps read."""
    return pyotp.random_base32()


def uri(secret: str, account: str) -> str:
    """Return what a QR code for an authenticator app holds."""
    return TOTP(secret).provisioning_uri(name=account, issuer_name=_ISSUER)


def matching_step(secret: str, code: str, at: float) -> int | None:
    """Return the time step whose code this is, now or next to it; None where it is no such code."""
    if len(code) != _DIGITS or not code.isascii() or not code.isdigit():
        return None
    totp, now = TOTP(secret), int(at // PERIOD_S)
    return next((now + drift for drift in _DRIFT if hmac.compare_digest(totp.generate_otp(now + drift), code)), None)


def new_recovery_codes() -> list[str]:
    """Return codes to be written down: each stands in for the second factor once."""
    return [_new_code() for _ in range(CODES)]


def plain_recovery_code(code: str) -> str:
    """Return a recovery code as it is hashed: people add spaces and capitals."""
    return "".join(letter for letter in code.lower() if letter.isalnum())


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    return "-".join(letters[start : start + _GROUP] for start in range(0, _CODE_LENGTH, _GROUP))
