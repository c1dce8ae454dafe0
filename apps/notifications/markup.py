"""Turns what a shipped template says, written once, into its HTML and its plain text."""

import html
import re
from collections.abc import Mapping
from typing import Any, Final

from apps.notifications.sources import Source

_TAG: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_BOLD: Final = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
_LINK: Final = re.compile(r"\[([^\]]+)\]\((\{\{.+?\}\})\)")
_LINES: Final = "[lines]"
_CLASSES: Final = {"> ": "code", "~ ": "small"}


def read(fields: dict[str, Any], layout: str, lines: Mapping[str, str]) -> dict[str, Source]:
    """Return a template's sources by channel, from the fields of its file.

    `body` is paragraphs: `**bold**`, `[word]({{ link }})`, `> ` for a code, `~ ` for small print, `[lines]` for what
    was ordered, by *lines*; a paragraph of Jinja's tags alone stands between the others.
    """
    subject, footer = str(fields["subject"]), str(fields["footer"])
    paragraphs = [part.strip() for part in str(fields["body"]).split("\n\n") if part.strip()]
    parts = {
        "language": str(fields["language"]),
        "title": _escaped(subject),
        "heading": _escaped(str(fields["heading"])),
        "content": "\n".join(_html(part, lines["html"]) for part in paragraphs),
        "footer": _marked(footer),
    }
    page = re.sub(r"@(\w+)@", lambda found: parts[found[1]], layout)
    text = "\n\n".join([*(_text(part, lines["text"]) for part in paragraphs), "-- \n" + _text(footer)])
    sources = {"email": Source(subject=subject, html=page, text=text)}
    if short := fields.get("short"):
        sources["sms"] = Source(text=str(short))
        sources["push"] = Source(subject=str(fields["heading"]), text=str(short))
    return sources


def _escaped(text: str) -> str:
    """Escape the words and leave Jinja's tags alone."""
    result, end = "", 0
    for tag in _TAG.finditer(text):
        result += html.escape(text[end : tag.start()], quote=False) + tag[0]
        end = tag.end()
    return result + html.escape(text[end:], quote=False)


def _marked(text: str) -> str:
    linked = _LINK.sub(r'<a href="\2">\1</a>', _escaped(text))
    return _BOLD.sub(r"<strong>\1</strong>", linked)


def _html(part: str, lines: str = "") -> str:
    if _is_structure(part):
        return part.replace(_LINES, lines)
    kind = _CLASSES.get(part[:2])
    return f'<p class="{kind}">{_marked(part[2:])}</p>' if kind else f"<p>{_marked(part)}</p>"


def _text(part: str, lines: str = "") -> str:
    if _is_structure(part):
        return part.replace(_LINES, lines)
    plain = part[2:] if part[:2] in _CLASSES else part
    return _LINK.sub(r"\1: \2", _BOLD.sub(r"\1", plain))


def _is_structure(part: str) -> bool:
    """Tell a paragraph of statements alone, which stands between the others, from one that says something."""
    return not re.sub(r"\{%.*?%\}", "", part, flags=re.DOTALL).replace(_LINES, "").strip()
