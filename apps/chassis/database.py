import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import psycopg
from fastapi import Depends, Request
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import QueuePool

from apps.chassis import outbox, seams
from apps.chassis.codec import Codec

# A statement that waits longer than this is in trouble, and so is everybody behind it. None of ours is worth a parallel
# plan: with millions of orders the planner chose one for a customer's fifty, and starting its workers took 30 times as
# long as asking.
_SERVER_SETTINGS = (
    "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=15s -c timezone=UTC "
    "-c max_parallel_workers_per_gather=0"
)
_POOL_WAIT_S = 5.0
_LAST_LOOKS = 200
_BETWEEN_LOOKS_S = 0.01
_AFTERWARDS = "afterwards"


def engine_for(url: str, pool_size: int = 5) -> AsyncEngine:
    """Return an engine that speaks psycopg 3 to *url*; `postgresql://` is what people write."""
    address = make_url(url).set(drivername="postgresql+psycopg")
    return create_async_engine(
        address,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_S,
        hide_parameters=True,
        connect_args={"options": _SERVER_SETTINGS, "connect_timeout": 5},
    )


_OUTAGES = (
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ConnectionError,
)


def is_outage(error: BaseException) -> bool:
    """Tell whether trying again later may help: the database is away, busy or chose us as a deadlock's victim."""
    if isinstance(error, _OUTAGES):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def afterwards(tx: AsyncSession, then: Callable[[], None]) -> None:
    """Call *then* once *tx* has committed, and never where it does not; for wake-ups, which may get lost."""
    tx.info.setdefault(_AFTERWARDS, []).append(then)


class Database:
    """One service's own database; the only place where a transaction begins and ends."""

    def __init__(self, engine: AsyncEngine, codec: Codec, on_commit: Callable[[], None] = lambda: None) -> None:
        self.engine = engine
        self.codec = codec
        self.on_commit = on_commit
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        # event handlers see the transaction alone: what a service's store needs besides rides on `tx.info`
        self._sessions = async_sessionmaker(engine, expire_on_commit=False, info={"codec": codec})

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """Open a transaction; what leaves by the outbox is written just before it commits."""
        async with self._sessions() as tx:
            yield tx
            recorded = await outbox.write(tx, self.codec)
            seams.before("commit")
            await tx.commit()
            seams.after("commit")
        if recorded:
            self.on_commit()
        for then in tx.info.get(_AFTERWARDS, ()):
            then()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """Open a connection for single reads on a hot path: no BEGIN and COMMIT, which would double the round trips."""
        async with self._single.connect() as connection:
            yield connection

    @asynccontextmanager
    async def statement(self) -> AsyncGenerator[AsyncConnection]:
        """Open a connection for a single statement that writes on a hot path; it commits by itself."""
        async with self._single.connect() as connection:
            seams.before("commit")
            yield connection
            seams.after("commit")

    async def close(self) -> None:
        """Give every connection back; one that a cancelled task is still putting into the pool is waited for."""
        pool = self.engine.pool
        for _ in range(_LAST_LOOKS):
            if not isinstance(pool, QueuePool) or not pool.checkedout():
                break
            await asyncio.sleep(_BETWEEN_LOOKS_S)
        await self.engine.dispose()


async def _request_transaction(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.chassis.database
    async with database.transaction() as tx:
        yield tx


# scope="function": the commit comes before the reply leaves; FastAPI's default commits after it.
Tx = Annotated[AsyncSession, Depends(_request_transaction, scope="function")]

Row = dict[str, Any]
