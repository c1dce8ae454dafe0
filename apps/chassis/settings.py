import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, NoReturn, Self

from pydantic import Field, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

EX_CONFIG = 78
_EDGE_PORT = 3500
_LENGTHS = "no length of time; write PT30S, PT5M, PT2H or P30D, or 00:05:00"


class MisconfiguredError(Exception):
    """Something this service was given is wrong, and waiting will not mend it; the text names it and the remedy."""


def edge_method_url(app_id: str) -> str:
    """Return where clients reach *app_id* through the edge of the local stack."""
    port = _EDGE_PORT + int(os.environ.get("SIDECART_PORT_OFFSET", "0"))
    return f"http://localhost:{port}/v1.0/invoke/{app_id}/method"


class ServiceSettings(BaseSettings):
    """What every service can be told; a subclass adds its own under its own prefix (`ORDERS_...`)."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
    service: ClassVar[str]

    port: PositiveInt = Field(validation_alias="APP_PORT")
    host: str = Field(default="127.0.0.1", validation_alias="APP_HOST")
    """Where to listen: in a pod, probes come from outside."""
    app_api_token: SecretStr = Field(validation_alias="APP_API_TOKEN", min_length=16)
    sidecar_http_port: PositiveInt = Field(default=3500, validation_alias="DAPR_HTTP_PORT")
    sidecar_token: SecretStr | None = Field(default=None, validation_alias="DAPR_API_TOKEN")
    seams: Path | None = Field(default=None, validation_alias="SIDECART_SEAMS")
    log_level: str = Field(default="INFO", validation_alias="LOG_LEVEL", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    token_issuer: str = Field(default_factory=lambda: edge_method_url("users"), validation_alias="TOKEN_ISSUER")

    database_url: SecretStr | None = None
    """Where the database is; without it the address is asked of the secret store, key `<service>-database-url`."""
    database_pool: PositiveInt = 10
    body_limit: PositiveInt = 1_048_576
    """Bytes a request may carry; a batch of events may be larger (`event_body_limit`)."""
    event_body_limit: PositiveInt = 16_777_216
    outbox_poll: timedelta = Field(default=timedelta(milliseconds=250), gt=timedelta(0))
    outbox_batch: PositiveInt = 500
    pace: timedelta = timedelta(milliseconds=80)
    """How far apart rounds of a loop are under load: more saves CPU, less saves time."""
    outbox_retention: timedelta = timedelta(hours=24)
    inbox_retention: timedelta = timedelta(days=8)
    idempotency_retention: timedelta = timedelta(days=2)

    @field_validator("*")
    @classmethod
    def _no_time_below_zero(cls, value: object) -> object:
        if isinstance(value, timedelta) and value < timedelta(0):
            raise PydanticCustomError("below_zero", "a length of time cannot be below zero")
        return value

    @classmethod
    def load(cls) -> Self:
        """Read the environment; a wrong value ends the process with one line that names it."""
        try:
            return cls()  # pyright: ignore[reportCallIssue]  # the values come from the environment
        except ValidationError as error:
            refuse(cls, error)


def variable(settings: type[ServiceSettings], location: str) -> str:
    """Return the environment variable behind a field or alias."""
    if location in settings.model_fields:
        return f"{settings.model_config.get('env_prefix', '')}{location}".upper()
    return location.upper()


def refuse(settings: type[ServiceSettings], error: ValidationError) -> NoReturn:
    """Say in one line which variable is wrong and where to correct it; never repeat its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = variable(settings, str(first["loc"][0]))
    said = _LENGTHS if first["type"].startswith("time_delta") else first["msg"]
    sys.stderr.write(
        f"{settings.service}: setting {name}: {said}; "
        f"correct it in the environment, or under env of {settings.service} in dapr/dapr.yaml\n"
    )
    sys.exit(EX_CONFIG)


def end(service: str, error: MisconfiguredError) -> NoReturn:
    """Say in one line what is wrong and end the process at once: a server that unwinds would add its traceback."""
    sys.stderr.write(f"{service}: {error}\n")
    sys.stderr.flush()
    os._exit(EX_CONFIG)
