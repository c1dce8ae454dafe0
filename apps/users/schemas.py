from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from apps.chassis.auth import Role

_MAX_TTL_S = 86_400


def _email(text: str) -> str:
    try:
        # no look-up in DNS: an address that mail does not reach is never verified
        return validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise ValueError("not an e-mail address") from error


def _timezone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (LookupError, ValueError, OSError) as error:
        raise ValueError("not a time zone of the IANA database, such as Europe/Berlin") from error


Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128)]
PersonName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^\P{Cc}*$")
]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164: + and digits")]
Locale = Annotated[
    str,
    Field(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$", description="BCP 47: en, de-CH, zh-Hant-TW"),
]
Timezone = Annotated[str, Field(max_length=64), AfterValidator(_timezone)]
OpaqueToken = Annotated[SecretStr, Field(min_length=1, max_length=512)]


class Registration(BaseModel):
    """What a person says of themselves to get an account."""

    email: Email
    password: Password
    name: PersonName | None = None
    phone: Phone | None = None
    locale: Locale = "en"
    timezone: Timezone = "UTC"


class RegistrationAccepted(BaseModel):
    """The same whether or not the address has an account."""

    status: Literal["check_your_mail"] = "check_your_mail"


class EmailProof(BaseModel):
    """The token from a verification mail."""

    token: OpaqueToken


class Credentials(BaseModel):
    """What signs a person in."""

    email: Email
    password: Annotated[SecretStr, Field(max_length=128)]


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


class ProfileView(BaseModel):
    """An account as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    email_verified: bool
    name: str | None
    phone: str | None
    locale: str
    timezone: str
    roles: list[str]
    totp_enabled: bool = False
    created_at: datetime


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


class OperatorTokenForm(BaseModel):
    """Whom the operator wants to speak as; a user is made up where none is named."""

    role: Role
    user_id: UUID | None = None
    ttl_s: Annotated[int, Field(ge=1, le=_MAX_TTL_S)] = 900


class OperatorToken(BaseModel):
    """An access token without a session behind it."""

    access_token: str
