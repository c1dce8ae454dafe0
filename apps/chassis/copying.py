"""Documents from one store to another, a page at a time; what is there already is left alone, so pages may repeat."""

from collections.abc import Awaitable, Callable, Sequence

import orjson
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.database import Database
from apps.chassis.documents import Documents

ListKeys = Callable[[AsyncSession, str, int], Awaitable[Sequence[str]]]
"""Returns a role's keys after one, in their order: no store lists its own, so the database has to know them."""


class CopiedPage(BaseModel):
    """What became of a page; `next` is where the one after it begins."""

    checked: int
    copied: int
    lost: list[str]
    """In neither store."""
    next: str | None


class CopyDiffersError(Exception):
    """A store gave back something else than it was given."""

    def __init__(self, key: str, target: str) -> None:
        super().__init__(f"{target} gave back another document under {key} than it was given.")


async def copy_page(
    database: Database, documents: Documents, keys_after: ListKeys, *, source: str, target: str, after: str, limit: int
) -> CopiedPage:
    """Copy what *target* lacks, and read it back."""
    async with database.transaction() as tx:
        keys = await keys_after(tx, after, limit)
    there = await documents.read(target, keys) if keys else {}
    lacking = [key for key in keys if key not in there]
    found = await documents.read(source, lacking) if lacking else {}
    if found:
        await documents.put(target, {key: document.value for key, document in found.items()})
        written = await documents.read(target, list(found))
        for key, document in found.items():
            if key not in written or not _same(document.value, written[key].value):
                raise CopyDiffersError(key, target)
    return CopiedPage(
        checked=len(keys),
        copied=len(found),
        lost=[key for key in lacking if key not in found],
        next=keys[-1] if len(keys) == limit else None,
    )


def _same(one: bytes, other: bytes) -> bool:
    """Compare what the JSON says: a store may keep it in a form of its own."""
    return one == other or orjson.loads(one) == orjson.loads(other)
