"""Writes the style sheet's rules into the elements, once for each template rather than once for each mail."""

import re
from typing import Final

import css_inline

_JINJA: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_ELEMENT_OR_WORD: Final = re.compile(
    r"<(?:title|style)\b.*?</(?:title|style)\s*>|<[a-zA-Z/!][^<>]*>|jinja(\d+)x", re.DOTALL | re.IGNORECASE
)
_HIDDEN: Final = re.compile(r"<!--jinja(\d+)-->|jinja(\d+)x")


def inline(page: str) -> str:
    """Return *page* with its styles in its elements; Jinja's tags in it stay where they are.

    Meanwhile each is hidden: as a word in titles and attributes, elsewhere as a comment, which tables keep in place.
    The rules for dark mode stay in a style sheet: they cannot stand in an element.
    """
    tags = _JINJA.findall(page)
    numbers = iter(range(len(tags)))
    words = _JINJA.sub(lambda _: f"jinja{next(numbers)}x", page)
    hidden = _ELEMENT_OR_WORD.sub(lambda found: f"<!--jinja{found[1]}-->" if found[1] else found[0], words)
    inlined = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False).inline(hidden)
    return _HIDDEN.sub(lambda found: str(tags[int(found[1] or found[2])]), inlined)
