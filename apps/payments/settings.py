import os
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, PositiveInt
from pydantic_settings import SettingsConfigDict

from apps.chassis.settings import ServiceSettings


def _at_home() -> Path | None:
    home = os.environ.get("SIDECART_HOME")
    return Path(home) / "payments-routes.toml" if home else None


class PaymentsSettings(ServiceSettings):
    """What payments can be told, as `PAYMENTS_...`."""

    model_config = SettingsConfigDict(env_prefix="PAYMENTS_")
    service: ClassVar = "payments"

    concurrency: PositiveInt = 64
    """Calls to the processor at once, per process, at most: a processor that limits us has fewer."""
    call_timeout: timedelta = timedelta(seconds=25)
    """A backstop behind the sidecar's own timeouts; an answer that comes later counts as lost."""
    lease: timedelta = timedelta(seconds=30)
    """How long a payment stays with the worker that took it: above `call_timeout`, or two would call at once."""
    capture: Literal["automatic", "manual"] = "automatic"
    """`manual` only holds the money of new attempts, until goods leave or support captures it."""
    routes: Path | None = Field(default_factory=_at_home)
    """A file that says which processor takes which money, as `routing` describes; read again when it changes."""
    return_url: str = "http://localhost/"
    """Where a customer who confirmed a payment to the bank is sent back to: the shop's page."""
    work_poll: timedelta = Field(default=timedelta(milliseconds=500), gt=timedelta(0))
    """How often the worker looks for what other replicas recorded; its own claims wake it."""
