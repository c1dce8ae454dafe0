"""Fills in templates: sandboxed, HTML escaped, and a variable that is missing is an error."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, get_currency_precision
from jinja2 import StrictUndefined, Template, TemplateError, pass_context
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from apps.notifications.inlining import inline
from apps.notifications.sources import Source

DEFAULT_LANGUAGE: Final = "en"
_MAX_SUBJECT: Final = 200
# Parts are rendered in one go and taken apart again; no data can guess what lies between them.
_BETWEEN: Final = secrets.token_hex(16)
# CLDR asks for a space between a currency's letters and its figures; Babel leaves it out.
_LETTER_BEFORE_DIGIT: Final = re.compile(r"(?<=[A-Za-z])(?=\d)")
_GAPS: Final = re.compile(r"\n{3,}")
_TROUBLE: Final = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
GIVEN: Final = frozenset({"name", "locale", "timezone", "language", "unsubscribe_url"})
"""What every template may use without being told."""


class RenderingError(Exception):
    """The template cannot be filled in from the data given; trying again would not help."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What goes out; text messages have no subject, and nothing but mail has HTML."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template ready to be filled in, over and over; `label` names it in complaints."""

    label: str
    template: Template
    language: str
    version: int = 0

    def render(self, locale: str | None, timezone: str | None, data: Mapping[str, Any]) -> Rendered:
        """Fill it in; raise RenderingError where that cannot be, naming the variable that is missing."""
        place = place_of(locale, self.language)
        variables = {**data, "locale": place, "timezone": timezone, "language": self.language}
        try:
            subject, html, text = self.template.render(variables).split(_BETWEEN)
        except _TROUBLE as error:
            raise RenderingError(f"template {self.label}: {error}") from error
        return Rendered(_one_line(subject), html, _GAPS.sub("\n\n", text).strip())


def compiled(label: str, language: str, source: Source, version: int = 0) -> Compiled:
    """Compile *source* with its styles inlined; raise RenderingError where it does not read as a template."""
    page = inline(source.html) if source.html else ""
    whole = (
        f"{{% autoescape false %}}{source.subject}{{% endautoescape %}}{_BETWEEN}{page}{_BETWEEN}"
        f"{{% autoescape false %}}{source.text}{{% endautoescape %}}"
    )
    try:
        return Compiled(label, _environment().from_string(whole), language, version)
    except TemplateError as error:
        raise RenderingError(f"template {label}: {error}") from error


def variables_of(source: Source) -> frozenset[str]:
    """Return the variables that *source* asks of its data; RenderingError names the part that does not read."""
    names: set[str] = set()
    for part, text in (("subject", source.subject), ("html", source.html), ("text", source.text)):
        try:
            names |= find_undeclared_variables(_environment().parse(text))
        except TemplateError as error:
            raise RenderingError(f"{part}: {error}") from error
    return frozenset(names) - GIVEN


def _one_line(subject: str) -> str:
    """Return plain text on one line: a line break would begin a header of its own."""
    if not subject.isprintable():
        subject = "".join(character if character.isprintable() else " " for character in subject)
    return " ".join(subject.split())[:_MAX_SUBJECT]


@lru_cache(maxsize=512)
def parsed(locale: str | None) -> Locale | None:
    """Return the locale that *locale* names, or None."""
    try:
        return Locale.parse((locale or "").replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return None


@lru_cache(maxsize=512)
def place_of(locale: str | None, language: str) -> Locale:
    """Return the reader's locale where it is of *language*: figures and words must not disagree."""
    wanted = parsed(locale)
    if wanted and wanted.language == language:
        return wanted
    return parsed(language) or Locale(DEFAULT_LANGUAGE)


@lru_cache(maxsize=4_096)
def _money(amount: int, currency: str, locale: Locale) -> str:
    shown = format_currency(Decimal(amount).scaleb(-get_currency_precision(currency)), currency, locale=locale)
    return _LETTER_BEFORE_DIGIT.sub("\xa0", shown)


@lru_cache(maxsize=512)
def zone_of(name: str | None) -> ZoneInfo:
    """Return the zone *name*, UTC where there is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@pass_context
def _as_money(context: Context, value: Mapping[str, Any]) -> str:
    return _money(value["amount"], value["currency"], context["locale"])


@pass_context
def _as_date(context: Context, value: str) -> str:
    local = datetime.fromisoformat(str(value)).astimezone(zone_of(context["timezone"]))
    return format_date(local, format="long", locale=context["locale"])


@pass_context
def _as_time(context: Context, value: str) -> str:
    local = datetime.fromisoformat(str(value)).astimezone(zone_of(context["timezone"]))
    return format_datetime(local, format="medium", locale=context["locale"]) + f" {local.tzname()}"


@cache
def _environment() -> SandboxedEnvironment:
    """Return the one environment; it loads nothing, so that a template cannot include a file."""
    environment = SandboxedEnvironment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, cache_size=0)
    filters: dict[str, Any] = {"money": _as_money, "date": _as_date, "time": _as_time}
    environment.filters.update(filters)
    # a range of a billion rounds would hold up every mail behind it
    environment.globals.clear()
    return environment
