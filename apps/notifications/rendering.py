import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, get_currency_precision
from jinja2 import StrictUndefined, Template, TemplateError, pass_context
from jinja2.loaders import FunctionLoader
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

_TEMPLATES: Final = resources.files("apps.notifications") / "templates"
_DEFAULT_LANGUAGE: Final = "en"
_MAX_SUBJECT: Final = 200
# CLDR asks for a space between a currency's letters and its figures; Babel leaves it out.
_LETTER_BEFORE_DIGIT: Final = re.compile(r"(?<=[A-Za-z])(?=\d)")


class UnknownTemplateError(Exception):
    """There is no template of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no template {name!r}; there are: {', '.join(sorted(languages()))}.")


class RenderingError(Exception):
    """The template cannot be filled in from the data given; trying again would not help."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes out."""

    subject: str
    html: str


@cache
def languages() -> dict[str, frozenset[str]]:
    """Return the languages of each template, by its name."""
    folders = [folder for folder in _TEMPLATES.iterdir() if folder.is_dir()]
    return {folder.name: frozenset(file.name.split(".")[0] for file in folder.iterdir()) for folder in folders}


def render(name: str, locale: str | None, timezone: str | None, data: Mapping[str, Any]) -> Mail:
    """Fill in the template *name*; raise UnknownTemplateError, or RenderingError where a variable is missing."""
    place = _place(name, locale)
    template = _environment().get_template(f"{name}/{place.language}.html.j2")
    variables = {**data, "locale": place, "timezone": timezone, "language": place.language}
    try:
        subject = _subject(template, variables)
        return Mail(subject, template.render(variables))
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise RenderingError(f"template {name}/{place.language}: {error}") from error


def _subject(template: Template, variables: dict[str, Any]) -> str:
    """Return the page's title as plain text on one line: a line break would begin a header of its own."""
    title = "".join(template.blocks["title"](template.new_context(variables)))
    plain = html.unescape(title)
    if not plain.isprintable():
        plain = "".join(character if character.isprintable() else " " for character in plain)
    return " ".join(plain.split())[:_MAX_SUBJECT]


@lru_cache(maxsize=512)
def _place(name: str, locale: str | None) -> Locale:
    """Return the closest locale whose language *name* is written in: figures and words must not disagree."""
    if name not in languages():
        raise UnknownTemplateError(name)
    for candidate in (locale, (locale or "").replace("_", "-").split("-")[0]):
        try:
            parsed = Locale.parse((candidate or "").replace("_", "-"), sep="-")
        except (ValueError, UnknownLocaleError):
            continue
        if parsed.language in languages()[name]:
            return parsed
    return Locale(_DEFAULT_LANGUAGE)


@lru_cache(maxsize=4_096)
def _money(amount: int, currency: str, locale: Locale) -> str:
    shown = format_currency(Decimal(amount).scaleb(-get_currency_precision(currency)), currency, locale=locale)
    return _LETTER_BEFORE_DIGIT.sub("\xa0", shown)


@lru_cache(maxsize=512)
def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@pass_context
def _as_money(context: Context, value: Mapping[str, Any]) -> str:
    return _money(value["amount"], value["currency"], context["locale"])


@pass_context
def _as_date(context: Context, value: str) -> str:
    local = datetime.fromisoformat(str(value)).astimezone(_zone(context["timezone"]))
    return format_date(local, format="long", locale=context["locale"])


@pass_context
def _as_time(context: Context, value: str) -> str:
    local = datetime.fromisoformat(str(value)).astimezone(_zone(context["timezone"]))
    return format_datetime(local, format="medium", locale=context["locale"]) + f" {local.tzname()}"


def _load(name: str) -> str | None:
    file = _TEMPLATES / name
    return file.read_text(encoding="utf-8") if file.is_file() else None


@cache
def _environment() -> SandboxedEnvironment:
    """Return the one environment: what is compiled once stays, since the files come with the code."""
    environment = SandboxedEnvironment(
        loader=FunctionLoader(_load), autoescape=True, undefined=StrictUndefined, auto_reload=False, trim_blocks=True
    )
    filters: dict[str, Any] = {"money": _as_money, "date": _as_date, "time": _as_time}
    environment.filters.update(filters)
    return environment
