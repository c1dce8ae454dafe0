"""From files to findings."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from stack.check import house, rules
from stack.check.document import Document, read
from stack.check.finding import Finding
from stack.check.world import Known, World

Files = Mapping[Path, str]


def unusable(files: Files) -> list[Finding]:
    """Return why sidecars could not use some of the files, or would end over them."""
    documents = [it for path, text in files.items() if isinstance(it := _read(path, text), Document)]
    told = [each for path, text in files.items() for each in _alone(path, text)[1]]
    return sorted({*told, *rules.twins(documents)})


def inspect(files: Files, known: Known, *, is_ours: bool = False, unread: Iterable[Path] = ()) -> list[Finding]:
    """Return all that is wrong with *files* as one set; *is_ours* adds what the checkout promises beyond.

    What refers to a file that is broken or *unread* is not wrong for that.
    """
    usable = [document for path, text in files.items() if (document := _alone(path, text)[0])]
    paths = {document.path for document in usable}
    broken = {name for path in files.keys() - paths for name in _names(path, files[path])}
    world = World(usable, known, frozenset(broken | {path.stem for path in unread}))
    found = {*unusable(files), *rules.together(world)}
    if is_ours:
        found |= {finding for document in usable for finding in house.findings(document)}
    return sorted(found)


def identity(path: Path, text: str) -> tuple[str, str] | None:
    """Return kind and name of the resource in *text*, None when there is none."""
    document = _read(path, text)
    return (document.kind, document.name) if isinstance(document, Document) else None


def replaced(files: Files, new: Files) -> dict[Path, str]:
    """Return *files* with each of *new* in the place of what has the same kind and name."""
    arriving = {identity(path, text) for path, text in new.items()} - {None}
    kept = {path: text for path, text in files.items() if path not in new and identity(path, text) not in arriving}
    return kept | dict(new)


# Cached, because a set is looked through again for each profile, each file that arrives, and each look at the status.
_read = lru_cache(maxsize=512)(read)


@lru_cache(maxsize=512)
def _alone(path: Path, text: str) -> tuple[Document | None, tuple[Finding, ...]]:
    document = _read(path, text)
    if isinstance(document, Finding):
        return None, (document,)
    told = tuple(rules.alone(document))
    return (None if told else document), told


def _names(path: Path, text: str) -> Iterable[str]:
    """Return what others may call a broken file: its own name too, since its YAML may not be readable."""
    found = identity(path, text)
    return {path.stem, found[1]} if found else {path.stem}
