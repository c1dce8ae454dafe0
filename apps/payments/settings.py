from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import PositiveInt
from pydantic_settings import SettingsConfigDict

from apps.chassis.settings import ServiceSettings


class PaymentsSettings(ServiceSettings):
    """What payments can be told, as `PAYMENTS_...`."""

    model_config = SettingsConfigDict(env_prefix="PAYMENTS_")
    service: ClassVar = "payments"

    concurrency: PositiveInt = 16
    """Calls to the processor at once, per process."""
    call_timeout: timedelta = timedelta(seconds=25)
    """A backstop behind the sidecar's own timeouts; an answer that comes later counts as lost."""
    lease: timedelta = timedelta(seconds=30)
    """How long a payment stays with the worker that took it: above `call_timeout`, or two would call at once."""
    capture: Literal["automatic", "manual"] = "automatic"
    """`manual` only holds the money of new attempts, until goods leave or support captures it."""
    return_url: str = "http://localhost/"
    """Where a customer who confirmed a payment to the bank is sent back to: the shop's page."""
    work_poll: timedelta = timedelta(milliseconds=500)
    """How often the worker looks for what other replicas recorded; its own claims wake it."""
