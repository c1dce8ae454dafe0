"""Documents from one store to another, a page at a time; what is there already is left alone, so pages may repeat."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.database import Database
from apps.chassis.documents import Documents
from apps.chassis.sidecar import Document

# A sidecar sends all writes of a call at once, where the store takes them one by one: customers wait behind as many.
WRITES_AT_ONCE: Final = 25
# DynamoDB may read a moment behind what it has written; a store that lost something goes on without it.
READ_BACK_TRIES: Final = 5
READ_BACK_PAUSE_S: Final = 0.2


@dataclass(frozen=True)
class Keys:
    """Which documents a role has: no store lists its own, so the database has to know them."""

    between: Callable[[AsyncSession, str, str, int], Awaitable[Sequence[str]]]
    """Returns so many of the keys after one, up to and with another, in their order."""
    last: Callable[[AsyncSession], Awaitable[str | None]]
    """Returns the key that comes last just now; None where there is none."""


class CopiedPage(BaseModel):
    """What became of a page; `next` is where the one after it begins, `until` where the last of them ends."""

    checked: int
    copied: int
    lost: list[str]
    """In neither store."""
    next: str | None
    until: str


class CopyDiffersError(Exception):
    """A store gave back something else than it was given."""

    def __init__(self, key: str, target: str) -> None:
        super().__init__(f"{target} gave back another document under {key} than it was given.")


async def copy_page(
    database: Database,
    documents: Documents,
    keys: Keys,
    *,
    source: str,
    target: str,
    after: str,
    until: str,
    limit: int,
) -> CopiedPage:
    """Copy what *target* lacks, and read it back; without *until* the pass ends with what is there now.

    A pass that went after what is being written would never end beside a store that is no faster than its customers.
    """
    async with database.transaction() as tx:
        until = until or await keys.last(tx) or ""
        page = await keys.between(tx, after, until, limit) if until else []
    there = await documents.read(target, page) if page else {}
    lacking = [key for key in page if key not in there]
    found = await documents.read(source, lacking) if lacking else {}
    new = [(key, document.value) for key, document in found.items()]
    for first in range(0, len(new), WRITES_AT_ONCE):
        await documents.put(target, dict(new[first : first + WRITES_AT_ONCE]))
    await _read_back(documents, target, found)
    return CopiedPage(
        checked=len(page),
        copied=len(found),
        lost=[key for key in lacking if key not in found],
        next=page[-1] if len(page) == limit else None,
        until=until,
    )


async def _read_back(documents: Documents, target: str, given: Mapping[str, Document]) -> None:
    waiting = list(given)
    for attempt in range(READ_BACK_TRIES):
        if not waiting:
            return
        if attempt:
            await asyncio.sleep(READ_BACK_PAUSE_S)
        written = await documents.read(target, waiting)
        for key, document in written.items():
            if not _same(given[key].value, document.value):
                raise CopyDiffersError(key, target)
        waiting = [key for key in waiting if key not in written]
    if waiting:
        raise CopyDiffersError(waiting[0], target)


def _same(one: bytes, other: bytes) -> bool:
    """Compare what the JSON says: a store may keep it in a form of its own."""
    return one == other or orjson.loads(one) == orjson.loads(other)
