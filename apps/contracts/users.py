from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, SecretStr, field_serializer

from apps.contracts.base import Event


class Contact(Event):
    """How to reach and address a person; the newest `sequence` holds."""

    aggregate: ClassVar = "user_id"

    user_id: UUID
    email: str
    name: str | None
    phone: str | None
    locale: str
    timezone: str


class UserRegistered(Contact):
    """An account exists; its e-mail address is not yet proven."""

    topic: ClassVar = "user-registered"


class UserChanged(Contact):
    """A profile changed."""

    topic: ClassVar = "user-changed"


class EmailVerificationRequested(Event):
    """Somebody has to prove that an address is theirs; the token is for that mail alone."""

    topic: ClassVar = "email-verification-requested"
    aggregate: ClassVar = "user_id"

    user_id: UUID
    email: str
    locale: str
    token: SecretStr
    expires_at: AwareDatetime

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class SecurityAlert(Event):
    """The owner of an account should know what somebody did with it."""

    topic: ClassVar = "security-alert"
    aggregate: ClassVar = "user_id"

    user_id: UUID
    kind: Literal["registration_attempted", "refresh_token_reused"]
    happened_at: AwareDatetime
