"""Statements of hot paths, run on the driver's own connection: that halves what each costs in Python."""

import re
from typing import Any, cast

from psycopg import AsyncConnection as DriverConnection
from psycopg.rows import namedtuple_row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

_NAMED = re.compile(r"(?<![:\w]):([a-z_]+)\b")
# As text, bytes go out in hexadecimal and are searched for what must be escaped: for lists of them most of the cost.
_BLOBS = re.compile(r"CAST\(%\(([a-z_]+)\)s AS bytea\[\]\)")
_DRIVER = "driver"


class Hot:
    """A fixed statement with `:named` parameters, as `sqlalchemy.text` has them."""

    def __init__(self, statement: str) -> None:
        self.text = statement
        named = _NAMED.sub(r"%(\1)s", statement.replace("%", "%%"))
        self._sql = _BLOBS.sub(r"CAST(%(\1)b AS bytea[])", named).encode()

    async def run(self, tx: AsyncSession | AsyncConnection, **values: Any) -> list[Any]:
        """Run within *tx* and return the rows as named tuples; the driver's errors come as they are."""
        cursor = (await _driver(tx)).cursor(row_factory=namedtuple_row)
        await cursor.execute(self._sql, values)
        return await cursor.fetchall() if cursor.description else []


async def _driver(tx: AsyncSession | AsyncConnection) -> DriverConnection[Any]:
    """Return the connection below *tx*; a session holds one from its first statement to its end."""
    if isinstance(tx, AsyncSession):
        if tx.in_nested_transaction():
            # the session sets its savepoint when it is asked for the connection, and not before
            return await _below(await tx.connection())
        if _DRIVER not in tx.info:
            tx.info[_DRIVER] = await _below(await tx.connection())
        held: DriverConnection[Any] = tx.info[_DRIVER]
        return held
    return await _below(tx)


async def _below(connection: AsyncConnection) -> DriverConnection[Any]:
    return cast("DriverConnection[Any]", (await connection.get_raw_connection()).driver_connection)
