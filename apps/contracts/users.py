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


class UserErased(Event):
    """A person is to be forgotten: whoever keeps something of theirs destroys it, but for what the law keeps."""

    topic: ClassVar = "user-erased"
    aggregate: ClassVar = "user_id"

    user_id: UUID
    erased_at: AwareDatetime


class EmailVerificationRequested(Event):
    """Somebody has to prove that an address is theirs; the token is for that mail alone."""

    topic: ClassVar = "email-verification-requested"
    aggregate: ClassVar = "user_id"

    user_id: UUID
    email: str
    locale: str
    token: SecretStr
    expires_at: AwareDatetime
    purpose: Literal["registration", "email_change_old", "email_change_new"] = "registration"
    """Why: a new address is confirmed from both ends."""

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class PasswordResetRequested(Event):
    """The owner of an account, or somebody who says so, forgot the password; the token is for that mail alone."""

    topic: ClassVar = "password-reset-requested"
    aggregate: ClassVar = "user_id"

    user_id: UUID
    email: str
    locale: str
    token: SecretStr
    expires_at: AwareDatetime

    @field_serializer("token", when_used="json")
    def _reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


AlertKind = Literal[
    "registration_attempted",
    "refresh_token_reused",
    "password_changed",
    "password_reset",
    "email_changed",
    "totp_enabled",
    "totp_disabled",
    "recovery_code_used",
    "account_locked",
    "roles_changed",
]


class SecurityAlert(Event):
    """The owner of an account should know what somebody did with it."""

    topic: ClassVar = "security-alert"
    aggregate: ClassVar = "user_id"

    user_id: UUID
    kind: AlertKind
    email: str | None = None
    """Where to tell it, when not to the address in use: the owner of an old address learns that it was changed."""
    happened_at: AwareDatetime
