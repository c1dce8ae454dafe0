"""What administrators send and get."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from apps.chassis.auth import Role
from apps.users.domain import SCOPES
from apps.users.fields import PersonName
from apps.users.schemas import AccountView

_KNOWN: Final = sorted({scope for scopes in SCOPES.values() for scope in scopes})


def _known(scope: str) -> str:
    if scope not in _KNOWN:
        raise ValueError(f"there is no such scope: there are {', '.join(_KNOWN)}")
    return scope


Scope = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": [*_KNOWN]})]


class UserView(AccountView):
    """An account as support and administrators see it."""

    status: str


class UserPage(BaseModel):
    """A page of accounts."""

    items: list[UserView]
    next: str | None


class RolesForm(BaseModel):
    """The roles an account is to have, and no others."""

    roles: Annotated[list[Role], Field(max_length=len(Role))]


class AuditView(BaseModel):
    """Something that happened to an account, or to what belongs to none."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    at: datetime
    user_id: UUID | None
    action: str
    outcome: str
    actor: str
    address: str | None
    agent: str | None
    detail: dict[str, Any]


class AuditPage(BaseModel):
    """A page of what happened, newest first."""

    items: list[AuditView]
    next: UUID | None


class ClientForm(BaseModel):
    """A machine client to be made."""

    name: PersonName
    scopes: Annotated[set[Scope], Field(min_length=1)]


class ClientView(BaseModel):
    """A machine client."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None


class ClientWithSecret(ClientView):
    """A machine client with a secret that is shown this once."""

    client_secret: str


class ClientPage(BaseModel):
    """A page of machine clients, newest first."""

    items: list[ClientView]
    next: UUID | None


class RotationForm(BaseModel):
    """Why the signing key changes: a compromised one goes at once, and every access token with it."""

    compromised: bool = False


class Rotated(BaseModel):
    """The key made, and all that are published."""

    kid: str
    published: list[str]
