from typing import Protocol


class Codec(Protocol):
    """What stands between the chassis' tables and the disk; a service that must not store in clear brings its own."""

    def seal(self, plain: bytes, context: str) -> bytes:
        """Return *plain* as it is to be stored; *context* names its table and row."""
        ...

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return what was sealed for *context*; raise ValueError where it was sealed for another or altered."""
        ...


class PlainCodec:
    """Stores as is."""

    def seal(self, plain: bytes, context: str) -> bytes:
        """Return *plain*."""
        del context
        return plain

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return *sealed*."""
        del context
        return bytes(sealed)
