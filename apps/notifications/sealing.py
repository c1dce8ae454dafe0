from typing import ClassVar

from apps.chassis import sealing

SECRET = "notifications-kek"  # noqa: S105  # its name
# JSON begins so: rows from before there was a key are read until they are gone.
_PLAIN = b"{"


class Sealer(sealing.Sealer):
    """Seals what would let a reader of a stolen dump in elsewhere: the tokens of security mails."""

    secret: ClassVar[str] = SECRET

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return what was sealed; ValueError under another key, for another context, or altered."""
        return bytes(sealed) if sealed[:1] == _PLAIN else super().open(sealed, context)
