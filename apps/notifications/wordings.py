"""Templates of staff: every version is kept, the newest serves."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.database import Database
from apps.chassis.hot import Hot
from apps.notifications.catalogue import Catalogue, Version
from apps.notifications.rendering import RenderingError, compiled, parsed, variables_of
from apps.notifications.schemas import Data
from apps.notifications.segments import segments
from apps.notifications.shipped import Key, shipped
from apps.notifications.sources import Channel, Source

_NEWEST = Hot("""
SELECT DISTINCT ON (name, channel, locale) name, channel, locale, version, subject, html, text FROM templates
ORDER BY name, channel, locale, version DESC
""")
# two who write at once both see the same newest version; the second is told by the primary key
_PUT = Hot("""
INSERT INTO templates (name, channel, locale, version, subject, html, text, created_by)
SELECT :name, :channel, :locale, coalesce(max(version), 0) + 1, :subject, :html, :text, :author FROM templates
WHERE name = :name AND channel = :channel AND locale = :locale
RETURNING version
""")
_LOCK = Hot("SELECT pg_advisory_xact_lock(hashtextextended('templates:' || CAST(:key AS text), 0))")
_HISTORY = Hot("""
SELECT version, created_at, created_by FROM templates
WHERE name = :name AND channel = :channel AND locale = :locale ORDER BY version DESC LIMIT 50
""")
_MOST = 200_000


class TemplateNotFoundError(Exception):
    """There is no such template."""


class BadTemplateError(Exception):
    """The template cannot serve as it is."""


class TemplateChangedError(Exception):
    """Somebody wrote another version meanwhile."""


class TemplateBody(BaseModel):
    """What a template says, in Jinja: mail has all three, push subject and text, SMS its text."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(max_length=1_000)] = ""
    html: Annotated[str, Field(max_length=_MOST)] = ""
    text: Annotated[str, Field(min_length=1, max_length=_MOST)]


class TemplateView(TemplateBody):
    """A template with its version; 0 came with the code."""

    name: str
    channel: Channel
    locale: str
    version: int


class Preview(BaseModel):
    """What to fill in, and for whom."""

    model_config = ConfigDict(extra="forbid")

    data: Data = {}
    timezone: Annotated[str, Field(max_length=64)] | None = None
    body: TemplateBody | None = None
    """What to look at instead of what serves now."""


class Previewed(BaseModel):
    """What would go out; SMS with how many messages it is paid as."""

    subject: str
    html: str
    text: str
    encoding: str | None = None
    segments: int | None = None


async def refresh(database: Database, catalogue: Catalogue) -> None:
    """Serve what the database holds now."""
    async with database.transaction() as tx:
        rows = await _NEWEST.run(tx)
    catalogue.use(
        {
            (row.name, row.channel, row.locale): Version(row.version, Source(row.text, row.subject, row.html))
            for row in rows
        }
    )


def view(catalogue: Catalogue, key: Key) -> TemplateView:
    """Return what serves exactly *key*."""
    found = catalogue.version(key)
    if found is None:
        raise TemplateNotFoundError("There is no template of this name, channel and locale; GET /templates lists all.")
    name, channel, locale = key
    told = {"subject": found.source.subject, "html": found.source.html, "text": found.source.text}
    return TemplateView(name=name, channel=Channel(channel), locale=locale, version=found.number, **told)


async def put(tx: AsyncSession, key: Key, body: TemplateBody, author: UUID, expected: int | None) -> TemplateView:
    """Keep another version of *key*; the next message is written by it."""
    source = checked(key, body)
    name, channel, locale = key
    await _LOCK.run(tx, key="/".join(key))
    versions = await _HISTORY.run(tx, name=name, channel=channel, locale=locale)
    newest = versions[0].version if versions else 0
    if expected is not None and expected != newest:
        raise TemplateChangedError(f"Version {newest} serves by now; look at it before you write the next.")
    values = {"subject": source.subject, "html": source.html, "text": source.text, "author": author}
    (row,) = await _PUT.run(tx, name=name, channel=channel, locale=locale, **values)
    told = body.model_dump()
    return TemplateView(name=name, channel=Channel(channel), locale=locale, version=row.version, **told)


def checked(key: Key, body: TemplateBody) -> Source:
    """Return *body* as a source; BadTemplateError where it does not read, lacks a part or asks for the unknown."""
    name, channel, locale = key
    if parsed(locale) is None:
        raise BadTemplateError(f"There is no locale {locale!r}; de and de-AT are such.")
    _check_parts(channel, body)
    source = Source(body.text, body.subject, body.html)
    try:
        asked = variables_of(source)
        compiled("/".join(key), locale.split("-")[0], source)
    except RenderingError as error:
        raise BadTemplateError(str(error)) from error
    known = {variable for (own, *_), text in shipped().items() if own == name for variable in variables_of(text)}
    if known and (unknown := sorted(asked - known)):
        words = f"{name} is not given {', '.join(unknown)}; it is given {', '.join(sorted(known))} and name."
        raise BadTemplateError(words)
    return source


def _check_parts(channel: str, body: TemplateBody) -> None:
    missing = [
        part
        for part, needed in (("subject", channel != Channel.SMS), ("html", channel == Channel.EMAIL))
        if needed and not getattr(body, part).strip()
    ]
    if missing:
        raise BadTemplateError(f"A template for {channel} needs {' and '.join(missing)}.")
    if channel != Channel.EMAIL and body.html:
        raise BadTemplateError(f"A template for {channel} has no html.")


def preview(catalogue: Catalogue, key: Key, wanted: Preview) -> Previewed:
    """Return what would go out to a reader of that locale."""
    name, channel, locale = key
    template = (
        compiled("/".join(key), locale.split("-")[0], checked(key, wanted.body))
        if wanted.body
        else catalogue.find(name, channel, locale)
    )
    link = {"unsubscribe_url": "https://example.org/unsubscribe"}
    rendered = template.render(locale, wanted.timezone, {"name": None, **link, **wanted.data})
    shown = Previewed(subject=rendered.subject, html=rendered.html, text=rendered.text)
    if channel == Channel.SMS:
        counted = segments(rendered.text)
        shown = shown.model_copy(update={"encoding": counted.encoding, "segments": counted.count})
    return shown
