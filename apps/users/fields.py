"""The kinds of text that people send, each checked in one place."""

from typing import Annotated, Final
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, SecretStr, StringConstraints
from zxcvbn.frequency_lists import FREQUENCY_LISTS

_COMMON: Final = frozenset(FREQUENCY_LISTS["passwords"])


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


def _uncommon(password: SecretStr) -> SecretStr:
    if password.get_secret_value().lower() in _COMMON:
        raise ValueError("one of the 30,000 passwords that are guessed first; choose another")
    return password


Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
NewPassword = Annotated[SecretStr, Field(min_length=8, max_length=128), AfterValidator(_uncommon)]
PersonName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164: + and digits")]
Locale = Annotated[
    str,
    Field(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$", description="BCP 47: en, de-CH, zh-Hant-TW"),
]
Timezone = Annotated[str, Field(max_length=64), AfterValidator(_timezone)]
OpaqueToken = Annotated[SecretStr, Field(min_length=1, max_length=512)]
