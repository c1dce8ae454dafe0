from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """The ways to reach somebody."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Source:
    """A template as people write it; text messages have no subject, and nothing but mail has HTML."""

    text: str
    subject: str = ""
    html: str = ""
