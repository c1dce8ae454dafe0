from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from apps.notifications.domain import Category, State, is_usable


def _address(value: str) -> str:
    if not is_usable(value):
        raise ValueError("this is not one address alone")
    return value


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what PostgreSQL's JSON cannot hold."""
    try:
        written = orjson.dumps(value)
    except TypeError as error:
        raise ValueError("this holds text that is not valid Unicode, or too large a number") from error
    if b"\\u0000" in written:
        raise ValueError("null characters cannot be kept")
    return value


class Recipient(BaseModel):
    """A person known by id, or an address alone."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    email: Annotated[str, AfterValidator(_address)] | None = None
    phone: Annotated[str, Field(max_length=32)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.user_id is None) == (self.email is None):
            raise ValueError("give either user_id or email")
        return self


class SendNotification(BaseModel):
    """One message; `data` is what its template asks for."""

    model_config = ConfigDict(extra="forbid")

    recipient: Recipient
    template: Annotated[str, Field(max_length=64)]
    locale: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{2,35}$")] | None = None
    data: Annotated[dict[str, Any], AfterValidator(_storable)] = {}
    channels: list[Literal["email"]] | None = None
    category: Category
    dedup_key: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    not_before: AwareDatetime | None = None


class Accepted(BaseModel):
    """The message will be sent; its state follows by id."""

    id: UUID


class NotificationView(BaseModel):
    """What was written to the caller; what it said is not repeated."""

    id: UUID
    category: Category
    template: str
    channel: str
    status: State
    created_at: datetime
    delivered_at: datetime | None


class NotificationPage(BaseModel):
    """Newest first; `next` is the cursor of what follows."""

    items: list[NotificationView]
    next: UUID | None
