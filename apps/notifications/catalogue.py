"""Which template serves a message: what staff put there, or what comes with the code, in the closest locale."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.notifications.rendering import DEFAULT_LANGUAGE, Compiled, Rendered, compiled, parsed
from apps.notifications.shipped import Key, shipped
from apps.notifications.sources import Source

_MOST = 2_000


class UnknownTemplateError(Exception):
    """There is no template of this name, or none for this channel."""

    def __init__(self, name: str, channel: str, known: list[str]) -> None:
        super().__init__(f"There is no template {name!r} for {channel}; there are: {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class Version:
    """A template as it stands in the database; the highest number serves."""

    number: int
    source: Source


class Catalogue:
    """Finds and keeps compiled templates; `use` replaces what staff have put, as the database has it now."""

    def __init__(self) -> None:
        self._own: Mapping[Key, Version] = {}
        self._compiled: dict[tuple[str, str, str | None], Compiled] = {}

    def use(self, own: Mapping[Key, Version]) -> None:
        """Serve *own* from now on, before what comes with the code."""
        if own != self._own:
            self._own = own
            self._compiled = {}

    def version(self, key: Key) -> Version | None:
        """Return what serves exactly *key*; number 0 comes with the code."""
        found = shipped().get(key)
        return self._own.get(key) or (Version(0, found) if found else None)

    def known(self) -> list[Key]:
        """Return every template, channel and locale there is, sorted."""
        return sorted({*shipped(), *self._own})

    def find(self, name: str, channel: str, locale: str | None) -> Compiled:
        """Return the closest template, compiled; UnknownTemplateError where there is none."""
        asked = (name, channel, locale)
        found = self._compiled.get(asked)
        if found is None:
            found = self._compile(name, channel, locale)
            if len(self._compiled) >= _MOST:
                self._compiled.clear()
            self._compiled[asked] = found
        return found

    def render(
        self, name: str, channel: str, locale: str | None, timezone: str | None, data: Mapping[str, Any]
    ) -> Rendered:
        """Fill in the closest template."""
        return self.find(name, channel, locale).render(locale, timezone, data)

    def _compile(self, name: str, channel: str, locale: str | None) -> Compiled:
        for candidate in _candidates(locale):
            if version := self.version((name, channel, candidate)):
                language = candidate.split("-")[0]
                return compiled(f"{name}/{channel}/{candidate}", language, version.source, version.number)
        names = sorted({known for known, way, _ in self.known() if way == channel})
        raise UnknownTemplateError(name, channel, names)


def _candidates(locale: str | None) -> list[str]:
    """Return where to look, closest first: `de-AT`, `de`, then English."""
    wanted = parsed(locale)
    if wanted is None:
        return [DEFAULT_LANGUAGE]
    exact = "-".join(part for part in (wanted.language, wanted.territory) if part)
    return list(dict.fromkeys([exact, wanted.language, DEFAULT_LANGUAGE]))
