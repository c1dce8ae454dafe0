from typing import ClassVar

from apps.chassis import sealing

SECRET = "users-signing-kek"  # noqa: S105  # its name


class Sealer(sealing.Sealer):
    """Seals signing keys, and the tables that carry the tokens of mails."""

    secret: ClassVar[str] = SECRET
