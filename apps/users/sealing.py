import hmac
from hashlib import sha256
from typing import ClassVar

from apps.chassis import sealing

SECRET = "users-signing-kek"  # noqa: S105  # its name


class Sealer(sealing.Sealer):
    """Seals signing keys, secrets of second factors, and the tables that carry the tokens of mails."""

    secret: ClassVar[str] = SECRET

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self._key = key

    def derived(self, purpose: str) -> bytes:
        """Return a key of its own for *purpose*; it tells nothing of the others."""
        return hmac.digest(self._key, f"sidecart users {purpose}".encode(), sha256)
