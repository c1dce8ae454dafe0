import os
import socket
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from apps.chassis.settings import ServiceSettings, edge_method_url

# Two components come to the eight connections that our smtp binding keeps.
_MAILS_AT_ONCE = 4
_AHEAD = 8


def _runtime_is_ours() -> bool:
    """Tell whether the sidecar has our own smtp binding; who starts it says so."""
    return os.environ.get("SIDECART_RUNTIME") == "ours"


class Settings(ServiceSettings):
    """What notifications can be told; names are prefixed `NOTIFICATIONS_`."""

    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_")
    service: ClassVar[str] = "notifications"

    email_lanes: Annotated[tuple[str, ...], NoDecode] = Field(default=("email",), min_length=1)
    """Mail components, comma separated; each is sent through by one task at a time, so more of them are parallelism."""
    email_at_once: PositiveInt = Field(default_factory=lambda: _MAILS_AT_ONCE if _runtime_is_ours() else 1)
    """Mails at once through each of those: more than one swaps recipients in upstream's smtp, and in no other."""
    email_ahead: PositiveInt = Field(default_factory=lambda: _AHEAD if _runtime_is_ours() else 3)
    """Mails that each task sends before the first of them is written down: our smtp binding knows what it has sent."""
    email_together: PositiveInt = 20
    """Mails of a campaign given to a component as one, where it knows lists; nobody else's mail goes so."""
    email_fallback: str = "email-fallback"
    """The component that mail goes through while the first is in trouble; a profile need not have one."""
    sms_at_once: PositiveInt = 4
    push_at_once: PositiveInt = 4
    email_per_second: NonNegativeFloat = 0
    sms_per_second: NonNegativeFloat = 10
    """What providers bear from one account, for each replica; 0 is no limit."""
    push_per_second: NonNegativeFloat = 0
    mail_from: str = ""
    """Sender's address; empty leaves it to the component."""
    message_domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")] = "sidecart.example"
    """What stands after the @ of a Message-ID."""
    push_topic: str = ""
    """The app that Apple's push is for (`apns-topic`)."""
    public_url: str = Field(default_factory=lambda: edge_method_url("notifications"))
    """Where the public reaches this service: links in mails begin so."""
    lease: timedelta = timedelta(seconds=30)
    """How long a silent sender keeps its messages before another takes them."""
    capacity: PositiveInt = 2_000
    """Messages held in memory at once; what comes beyond waits in the database."""
    resolvers: PositiveInt = 4
    """How many contacts are asked of users at a time."""
    undelivered_ttl: timedelta = timedelta(days=30)
    """How long what did not arrive is kept."""
    campaign_batch: PositiveInt = 500
    """Messages of a campaign written in one statement."""
    campaign_ahead: PositiveInt = 2_000
    """Messages of a campaign that wait at most: a pause holds that many, whatever its size."""

    @field_validator("email_lanes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("email_lanes")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a component named twice would be sent through twice at once; name each once")
        return value

    @property
    def holder(self) -> str:
        """The name under which this process claims; the next process in its place goes by the same."""
        return f"{socket.gethostname()}:{self.port}"
