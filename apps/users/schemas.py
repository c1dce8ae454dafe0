"""What clients send and get about accounts and sessions; administrators and machines have `admin_schemas`."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from apps.chassis.auth import Role
from apps.users.fields import Email, Locale, NewPassword, OpaqueToken, PersonName, Phone, Timezone
from apps.users.totp import plain_recovery_code

_MAX_TTL_S = 86_400

GivenPassword = Annotated[SecretStr, Field(max_length=128)]
Code = Annotated[str, Field(min_length=1, max_length=32)]


def _some_letters(code: str) -> str:
    if not plain_recovery_code(code):
        raise ValueError("a code has digits or letters")
    return code


class Registration(BaseModel):
    """What a person says of themselves to get an account."""

    email: Email
    password: NewPassword
    name: PersonName | None = None
    phone: Phone | None = None
    locale: Locale = "en"
    timezone: Timezone = "UTC"


class Accepted(BaseModel):
    """The same whether or not the address has an account."""

    status: Literal["check_your_mail"] = "check_your_mail"


class EmailProof(BaseModel):
    """The token from a verification mail."""

    token: OpaqueToken


class Credentials(BaseModel):
    """What signs a person in; `otp` takes a code of the second factor, or a recovery code."""

    email: Email
    password: GivenPassword
    otp: Annotated[Code, AfterValidator(_some_letters)] | None = None
    device_token: OpaqueToken | None = None
    """From an earlier sign-in on this device: others' failures then do not slow it down."""
    refresh_token: OpaqueToken | None = None
    """The newest of the session that this one takes the place of, which then ends."""


class RefreshForm(BaseModel):
    """The newest refresh token of a session."""

    refresh_token: OpaqueToken


class SignedIn(BaseModel):
    """Tokens of a session; each refresh token is good once."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the scheme's name
    expires_in: int
    refresh_token: str
    session_id: UUID
    device_token: str | None = None


class SessionView(BaseModel):
    """A session as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    current: bool = False
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    address: str | None
    agent: str | None


class SessionPage(BaseModel):
    """A page of sessions, newest first."""

    items: list[SessionView]
    next: UUID | None


class PasswordChangeForm(BaseModel):
    """The password in use, and the one to come."""

    current_password: GivenPassword
    new_password: NewPassword


class AddressForm(BaseModel):
    """Who wants a mail: with a link to reset a password, or to verify the address once more."""

    email: Email


class ResetConfirmation(BaseModel):
    """The token from the mail, and the password to come."""

    token: OpaqueToken
    new_password: NewPassword


class EmailChangeForm(BaseModel):
    """The address to come, and the password as proof."""

    new_email: Email
    password: GivenPassword


class SecondFactorSecret(BaseModel):
    """What an authenticator app needs; it is shown once."""

    secret: str
    otpauth_uri: str


class CodeForm(BaseModel):
    """A code from the authenticator app."""

    otp: Code


class RecoveryCodes(BaseModel):
    """What stands in for a lost second factor, each once; they are shown once."""

    recovery_codes: list[str]


class ProfileChange(BaseModel):
    """The fields to change; null clears a name or a phone number."""

    model_config = ConfigDict(extra="forbid")

    name: PersonName | None = None
    phone: Phone | None = None
    locale: Locale | None = None
    timezone: Timezone | None = None

    @model_validator(mode="after")
    def _keep_what_is_needed(self) -> "ProfileChange":
        for field in ("locale", "timezone"):
            if field in self.model_fields_set and getattr(self, field) is None:
                raise ValueError(f"{field} cannot be cleared")
        return self


class AccountView(BaseModel):
    """What everybody who may see an account sees of it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    email_verified: bool
    name: str | None
    phone: str | None
    locale: str
    timezone: str
    roles: list[str]
    created_at: datetime


class ProfileView(AccountView):
    """An account as its owner sees it."""

    totp_enabled: bool = False


class ContactView(BaseModel):
    """How to reach and address a person; the newest `sequence` holds."""

    model_config = ConfigDict(from_attributes=True)

    user_id: UUID = Field(validation_alias="id")
    sequence: int
    email: str
    email_verified: bool
    name: str | None
    phone: str | None
    locale: str
    timezone: str


class Export(BaseModel):
    """All that is stored here about one person, but for secrets and hashes."""

    profile: ProfileView
    status: str
    sessions: list[SessionView]
    second_factor: dict[str, Any] | None
    email_change: dict[str, Any] | None
    pending_mails: list[dict[str, Any]]
    audit: list[dict[str, Any]]


class OperatorTokenForm(BaseModel):
    """Whom the operator wants to speak as; a user is made up where none is named."""

    role: Role
    user_id: UUID | None = None
    ttl_s: Annotated[int, Field(ge=1, le=_MAX_TTL_S)] = 900


class OperatorToken(BaseModel):
    """An access token without a session behind it."""

    access_token: str
