"""What must not be read from a stolen dump is sealed: AES-256-GCM, bound to the row that it belongs to."""

import base64
import binascii
import secrets
from typing import ClassVar, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.chassis.settings import MisconfiguredError

_KEY_BYTES = 32
_NONCE_BYTES = 12
_FORM = b"\x01"


class Sealer:
    """A codec under one key, whose name in the secret store is *secret*."""

    secret: ClassVar[str]

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def from_secret(cls, text: str) -> Self:
        """Read the key as it stands in the secret store; MisconfiguredError where it is none."""
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise MisconfiguredError(
                f"secret {cls.secret} is not the base64 of {_KEY_BYTES} bytes; correct it in secrets"
            )
        return cls(key)

    def seal(self, plain: bytes, context: str) -> bytes:
        """Return *plain* sealed for *context*, which names its table and row."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORM + nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return what was sealed; ValueError under another key, for another context, or altered."""
        form, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if form != _FORM or len(nonce) < _NONCE_BYTES:
            raise ValueError(f"{context} is in an unknown form")
        try:
            return self._cipher.decrypt(nonce, rest, context.encode())
        except InvalidTag as error:
            raise ValueError(f"{context} was sealed under another key, or altered") from error
