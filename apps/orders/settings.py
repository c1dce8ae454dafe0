from datetime import timedelta
from typing import ClassVar

from pydantic import Field, PositiveInt, SecretStr
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
    expire_after: timedelta = timedelta(hours=2)
    """How long an order may stay unpaid: its articles are kept from others meanwhile."""
    expire_batch: PositiveInt = 100
    """How many such orders end per tick and replica, in one transaction."""
    orphan_after: timedelta = timedelta(minutes=10)
    """When a document that no order names is removed: well above the longest request."""
    orphan_batch: PositiveInt = 20
    """How many groups of such documents are looked through per tick and replica."""
    stream_for: timedelta = timedelta(seconds=25)
    """When a stream of events ends itself; below every timeout on its way, or those would cut it off."""
    stream_poll: timedelta = Field(default=timedelta(milliseconds=500), gt=timedelta(0))
    """How often the orders that somebody watches are looked at, all in one query."""
    streams: PositiveInt = 1_000
    """How many may watch at once."""
    database_replica_url: SecretStr | None = None
    """Where orders are read; without it, and while it is away or behind, from the database itself."""
    replica_grace: timedelta = timedelta(seconds=3)
    """How far the replica may be behind, and how long a caller who wrote reads from the database itself."""
