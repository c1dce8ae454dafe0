from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from apps.chassis.database import Database
from apps.chassis.telemetry import log
from apps.payments import store


class Presence:
    """Shows that a worker is there, by a lock that the database itself drops when the process is gone.

    What a killed worker held need not wait for its lease to run out then: whoever starts next sets it free. Should the
    lock alone be lost, a payment may be called for twice under one reference, which charges once.
    """

    def __init__(self, database: Database, holder: UUID) -> None:
        self._database = database
        self._holder = holder
        self._connection: AsyncConnection | None = None
        self._cleared = False

    async def show(self) -> None:
        """Be seen; the first time, free what workers hold that are gone, and what could not be opened."""
        if self._connection is None:
            self._connection = await self._database.engine.connect()
            await self._connection.execution_options(isolation_level="AUTOCOMMIT")
            await store.sign_in(self._connection, self._holder)
        if not self._cleared:
            async with self._database.transaction() as tx:
                freed = await store.free(tx)
                unparked = await store.unpark(tx)
            self._cleared = True
            if freed:
                log.info("leases_freed", count=freed)
            if unparked:
                log.info("unreadable_tried_again", count=unparked)

    async def leave(self) -> None:
        """Be seen no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # closing the session drops the lock, whatever state the connection is in
            await connection.invalidate()
            await connection.close()
