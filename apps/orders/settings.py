from datetime import timedelta
from typing import ClassVar

from pydantic import PositiveInt
from pydantic_settings import SettingsConfigDict

from apps.chassis.settings import ServiceSettings


class OrdersSettings(ServiceSettings):
    """What orders can be told, as `ORDERS_...`."""

    model_config = SettingsConfigDict(env_prefix="ORDERS_")
    service: ClassVar = "orders"

    ask_after: timedelta = timedelta(seconds=60)
    """How long an order may hear nothing from payments before it asks."""
    ask_batch: PositiveInt = 20
    """How many such orders ask per tick and replica."""
