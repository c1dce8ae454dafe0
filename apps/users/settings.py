import os
from datetime import timedelta
from typing import ClassVar

from pydantic import PositiveInt
from pydantic_settings import SettingsConfigDict

from apps.chassis.settings import ServiceSettings


class UsersSettings(ServiceSettings):
    """What users can be told, as `USERS_...`."""

    model_config = SettingsConfigDict(env_prefix="USERS_")
    service: ClassVar = "users"

    access_ttl: timedelta = timedelta(minutes=10)
    session_ttl: timedelta = timedelta(days=30)
    """How long a session lives without a refresh."""
    verification_ttl: timedelta = timedelta(minutes=60)
    password_workers: PositiveInt = os.cpu_count() or 1
    """Passwords hashed at once; each takes 19 MiB and a core for about 20 ms."""
    operator_tokens: bool = False
    """Whether the local operator, who holds the app's API token, may make access tokens for any role."""
