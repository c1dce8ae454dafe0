from datetime import datetime, time
from typing import Annotated, Any, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
import phonenumbers
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from apps.notifications.domain import Category, State, is_usable
from apps.notifications.sources import Channel


def _address(value: str) -> str:
    if not is_usable(value):
        raise ValueError("this is not one address alone")
    return value


def _number(value: str) -> str:
    try:
        parsed = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException as error:
        raise ValueError("write the number with its country: +4930123456") from error
    if not phonenumbers.is_possible_number(parsed):
        raise ValueError("this is no telephone number")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("this is no time zone; Europe/Berlin is one") from error
    return value


def storable(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what PostgreSQL's JSON cannot hold."""
    try:
        written = orjson.dumps(value)
    except TypeError as error:
        raise ValueError("this holds text that is not valid Unicode, or too large a number") from error
    if b"\\u0000" in written:
        raise ValueError("null characters cannot be kept")
    return value


Email = Annotated[str, Field(max_length=254), AfterValidator(_address)]
Locale = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{2,35}$")]
Data = Annotated[dict[str, Any], AfterValidator(storable)]
TemplateName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class Recipient(BaseModel):
    """A person known by id, or an address or number alone."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    email: Email | None = None
    phone: Annotated[str, Field(max_length=32), AfterValidator(_number)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.user_id is None) == (self.email is None and self.phone is None):
            raise ValueError("give either user_id, or email or phone")
        return self


class SendNotification(BaseModel):
    """One message; `data` is what its template asks for. Without `channels` the recipient's preferences decide."""

    model_config = ConfigDict(extra="forbid")

    recipient: Recipient
    template: Annotated[str, Field(max_length=64)]
    locale: Locale | None = None
    data: Data = {}
    channels: Annotated[list[Channel], Field(min_length=1, max_length=3)] | None = None
    category: Category
    dedup_key: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    not_before: AwareDatetime | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.recipient.user_id is None:
            reached = {Channel.EMAIL: self.recipient.email, Channel.SMS: self.recipient.phone}
            if any(not reached.get(channel) for channel in self.channels or []):
                raise ValueError("the recipient gives no address for one of the channels")
        return self


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


class Channels(BaseModel):
    """Which ways are open at all."""

    model_config = ConfigDict(extra="forbid")

    email: bool = True
    sms: bool = False
    push: bool = False


class Ways(BaseModel):
    """Which ways a kind of message may take."""

    model_config = ConfigDict(extra="forbid")

    email: bool = True
    sms: bool = True
    push: bool = True


class Categories(BaseModel):
    """By kind of message; what concerns security comes by mail whatever is said here."""

    model_config = ConfigDict(extra="forbid")

    orders: Ways = Ways()
    security: Ways = Ways()
    marketing: Ways = Ways()


class QuietHours(BaseModel):
    """Times of day in the reader's own zone, between which nothing but security is sent; it comes afterwards."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    begins: Annotated[time, Field(alias="from")]
    ends: Annotated[time, Field(alias="to")]

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.begins == self.ends:
            raise ValueError("quiet hours that end as they begin would be none, or all day")
        if self.begins.tzinfo or self.ends.tzinfo:
            raise ValueError("give times of day without an offset: they are of your own zone")
        return self


class Preferences(BaseModel):
    """What somebody wants to be told, how, and when not."""

    model_config = ConfigDict(extra="forbid")

    locale: Locale = "en"
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] = "UTC"
    quiet_hours: QuietHours | None = None
    channels: Channels = Channels()
    categories: Categories = Categories()
    digest: Literal["hourly", "daily"] | None = None
    """Order news by mail told together: at each full hour, or at eight in the morning; without it, as it happens."""
    device: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,200}$")] | None = None
    """Where push messages go: a device's token, or a topic; without it the user's id."""
