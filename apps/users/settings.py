import os
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt
from pydantic_settings import SettingsConfigDict

from apps.chassis.settings import ServiceSettings

_NONE = timedelta()


class UsersSettings(ServiceSettings):
    """What users can be told, as `USERS_...`."""

    model_config = SettingsConfigDict(env_prefix="USERS_")
    service: ClassVar = "users"

    access_ttl: Annotated[timedelta, Field(gt=_NONE, le=timedelta(minutes=15))] = timedelta(minutes=10)
    session_ttl: timedelta = timedelta(days=30)
    """How long a session lives without a refresh."""
    session_lifetime: timedelta = timedelta(days=90)
    """How long it lives whatever is done with it."""
    refresh_grace: Annotated[timedelta, Field(ge=_NONE, le=timedelta(seconds=30))] = timedelta(seconds=10)
    """How long the token just replaced still brings the one that replaced it: for a lost answer, and for two tabs."""
    recent_sign_in: timedelta = timedelta(minutes=15)
    """How old a session may be that removes a second factor, takes everything home or erases the account."""
    verification_ttl: Annotated[timedelta, Field(le=timedelta(minutes=60))] = timedelta(minutes=60)
    reset_ttl: Annotated[timedelta, Field(le=timedelta(minutes=60))] = timedelta(minutes=30)
    even_answers: timedelta = timedelta(milliseconds=100)
    """Registration and reset answer at multiples of this, so that their time tells nobody whether an account exists."""
    password_workers: PositiveInt = os.cpu_count() or 1
    """Passwords hashed at once; each takes 19 MiB and a core for about 20 ms."""
    keys_rotate_every: timedelta = timedelta(days=30)
    keys_announced_for: timedelta = timedelta(minutes=10)
    """How long a new signing key is published before it signs: twice as long as verifiers keep what they have."""
    keys_kept_for: timedelta = timedelta(hours=25)
    """How long a replaced key is still published: longer than the longest token it signed."""
    secrets_overlap: timedelta = timedelta(hours=24)
    """How long a machine client's earlier secret still works beside a new one."""
    audit_retention: timedelta = timedelta(days=400)
    """How long the audit trail is kept at least; it goes by whole months, and no month younger than 90 days."""
    first_admin_email: str = "admin@sidecart.test"
    """Who is made administrator where there is none; the password is the secret `users-first-admin-password`."""
    operator_tokens: bool = False
    """Whether the local operator, who holds the app's API token, may make access tokens for any role."""
