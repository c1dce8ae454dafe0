"""The templates that come with the code; staff may put their own in their place, version by version."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

from apps.notifications import markup
from apps.notifications.sources import Source

_FOLDER: Final = resources.files("apps.notifications") / "templates"

Key = tuple[str, str, str]
"""A template's name, channel and locale."""


@cache
def shipped() -> Mapping[Key, Source]:
    """Return every template that comes with the code."""
    layout = _read("layout.html")
    lines = {"html": _read("lines.html.j2"), "text": _read("lines.txt.j2")}
    found: dict[Key, Source] = {}
    for file in _FOLDER.iterdir():
        name, _, kind = file.name.partition(".")
        if kind != "toml":
            continue
        for language, fields in tomllib.loads(file.read_text(encoding="utf-8")).items():
            sources = markup.read({**fields, "language": language}, layout, lines)
            found |= {(name, channel, language): source for channel, source in sources.items()}
    return found


@cache
def channels(name: str) -> frozenset[str]:
    """Return the channels that the shipped template *name* is written for."""
    return frozenset(channel for known, channel, _ in shipped() if known == name)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8").strip()
