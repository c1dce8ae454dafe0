import socket
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from apps.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """What notifications can be told; names are prefixed `NOTIFICATIONS_`."""

    model_config = SettingsConfigDict(env_prefix="NOTIFICATIONS_")
    service: ClassVar[str] = "notifications"

    email_lanes: Annotated[tuple[str, ...], NoDecode] = Field(default=("email",), min_length=1)
    """Mail components, comma separated; each is sent through by one task at a time, so more of them are parallelism."""
    mail_from: str = ""
    """Sender's address; empty leaves it to the component."""
    lease: timedelta = timedelta(seconds=30)
    """How long a silent sender keeps its messages before another takes them."""
    capacity: PositiveInt = 500
    """Messages held in memory at once; what comes beyond waits in the database."""
    resolvers: PositiveInt = 4
    """How many contacts are asked of users at a time."""

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
