"""Another key-encryption key under what is stored: only the wrappings of the data keys are written anew.

Whatever is under the current key already is passed by, so that an interrupted run is simply begun again.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.payments import records
from apps.payments.sealing import Sealed

_LIMIT: Final = 500
_FIRST: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Page:
    """How far a table has come; without `after`, it is through."""

    rewrapped: int
    after: str | None


class _Table:
    """One table's statements; rows are written by where they lie, which a lock keeps in place."""

    def __init__(self, table: str, *, kept: str, stale: str, write: str, key: str, kind: str) -> None:
        self.name = table
        self.stale = Hot(
            f"SELECT CAST(ctid AS text) AS spot, CAST({key} AS text) AS place, {kept} FROM {table} "  # noqa: S608
            f"WHERE {key} > CAST(:after AS {kind}) AND {stale} ORDER BY {key} LIMIT :limit FOR UPDATE SKIP LOCKED"
        )
        self.write = Hot(
            f"UPDATE {table} SET {write} FROM unnest(CAST(:spots AS tid[]), CAST(:fresh AS bytea[])) "  # noqa: S608
            f"AS other (spot, fresh) WHERE {table}.ctid = other.spot"
        )


class _Columns(_Table):
    """A table whose wrapped keys have columns of their own; *context* adds to what its rows are sealed for."""

    def __init__(self, table: str, key: str = "id", context: str = "''") -> None:
        kept = f"{context} AS rest, key_id, wrapped_key"
        write = "key_id = :current, wrapped_key = other.fresh"
        super().__init__(table, kept=kept, stale="key_id <> :current", write=write, key=key, kind="uuid")

    async def page(self, tx: AsyncSession, after: str) -> Page:
        keeper = records.vault(tx)
        rows = await self.stale.run(tx, after=after or _FIRST, current=keeper.current, limit=_LIMIT)
        sealed = [Sealed(row.key_id, row.wrapped_key, b"") for row in rows]
        fresh = [
            keeper.rewrap(each, f"{self.name}:{row.place}{row.rest}") for each, row in zip(sealed, rows, strict=True)
        ]
        if rows:
            await self.write.run(tx, current=keeper.current, spots=[row.spot for row in rows], fresh=fresh)
        return Page(len(rows), rows[-1].place if rows else None)


class _Blobs(_Table):
    """A table whose sealed values carry their wrapped keys along."""

    def __init__(self, table: str, column: str, key: str = "id", kind: str = "uuid", first: str = _FIRST) -> None:
        stale = f"length({column}) > 1 AND substr({column}, 2, get_byte({column}, 0)) <> :current"
        write = f"{column} = other.fresh"
        super().__init__(table, kept=f"{column} AS sealed", stale=stale, write=write, key=key, kind=kind)
        self._first = first

    async def page(self, tx: AsyncSession, after: str) -> Page:
        keeper = records.vault(tx)
        rows = await self.stale.run(tx, after=after or self._first, current=keeper.current.encode(), limit=_LIMIT)
        fresh = [keeper.rewrap_blob(row.sealed, f"{self.name}:{row.place}") for row in rows]
        if rows:
            await self.write.run(tx, spots=[row.spot for row in rows], fresh=fresh)
        return Page(len(rows), rows[-1].place if rows else None)


TABLES: Final[dict[str, _Columns | _Blobs]] = {
    "payments": _Columns("payments"),
    # the rows of one payment that a page cuts off are found by the next run
    "ledger": _Columns("ledger", "payment_id", "':' || number"),
    "provider_answers": _Blobs("provider_answers", "sealed"),
    "notices": _Blobs("notices", "sealed", "key"),
    "ledger_balances": _Blobs("ledger_balances", "sealed", "upto", "bigint", "0"),
    "reconciliations": _Blobs("reconciliations", "sealed", "day", "date", "0001-01-01"),
    "outbox": _Blobs("outbox", "envelope"),
    "dead_letters": _Blobs("dead_letters", "envelope"),
    "idempotent_replies": _Blobs("idempotent_replies", "reply", "key"),
}


async def rewrap(tx: AsyncSession, table: str, after: str) -> Page:
    """Rewrap one page of *table* beyond *after*; rows that somebody is at are left for another run."""
    return await TABLES[table].page(tx, after)
