from uuid import UUID

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from apps.chassis.database import Database, is_outage
from apps.chassis.hot import Hot
from tests.store.chassis.conftest import count

ADD = Hot("INSERT INTO effects SELECT * FROM unnest(CAST(:names AS text[])) RETURNING name")
LIKE = Hot("SELECT name, :id::uuid AS id FROM effects WHERE name LIKE '%a%' ORDER BY name")


async def test_rows_have_names_and_parameters_bind_by_name(database: Database) -> None:
    async with database.transaction() as tx:
        assert [row.name for row in await ADD.run(tx, names=["tea", "pot"])] == ["tea", "pot"]
        (row,) = await LIKE.run(tx, id=UUID(int=7))
        assert (row.name, row.id) == ("tea", UUID(int=7))
    assert await count(database, "effects") == 2


async def test_it_belongs_to_the_transaction_it_runs_in(database: Database) -> None:
    with pytest.raises(KeyError):
        async with database.transaction() as tx:
            await ADD.run(tx, names=["tea"])
            raise KeyError
    assert await count(database, "effects") == 0


async def test_a_savepoint_takes_back_what_ran_within_it_and_nothing_else(database: Database) -> None:
    async with database.transaction() as tx:
        await ADD.run(tx, names=["kept"])
        with pytest.raises(KeyError):
            async with tx.begin_nested():
                await ADD.run(tx, names=["undone"])
                raise KeyError
        await ADD.run(tx, names=["kept too"])
    assert await count(database, "effects") == 2


async def test_a_single_read_leaves_no_transaction_open(database: Database) -> None:
    async with database.reading() as connection:
        await LIKE.run(connection, id=UUID(int=1))
    async with database.transaction() as tx:
        idle = Hot("SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'idle in transaction'")
        assert (await idle.run(tx))[0].n == 0


async def test_a_lost_session_is_an_outage_and_the_next_transaction_works(database: Database) -> None:
    with pytest.raises((psycopg.OperationalError, OperationalError)) as lost:
        async with database.transaction() as tx:
            await Hot("SELECT pg_terminate_backend(pg_backend_pid())").run(tx)
    assert is_outage(lost.value)
    async with database.transaction() as tx:
        await ADD.run(tx, names=["after"])
    assert await count(database, "effects") == 1


async def test_a_statement_by_itself_is_committed_once_it_has_run(database: Database) -> None:
    async with database.statement() as connection:
        await ADD.run(connection, names=["tea"])
        assert await count(database, "effects") == 1, "seen from another connection"
    with pytest.raises(psycopg.errors.NotNullViolation):
        async with database.statement() as connection:
            await ADD.run(connection, names=["pot", None])
    assert await count(database, "effects") == 1


@pytest.mark.parametrize("blobs", [[], [b""], [b'\x00\xff\\"{},NULL', b"plain"], [b"a", None]])
async def test_lists_of_bytes_arrive_as_they_are(database: Database, blobs: list[bytes | None]) -> None:
    echo = Hot("SELECT blob FROM unnest(CAST(:blobs AS bytea[])) WITH ORDINALITY AS each (blob, place) ORDER BY place")
    assert "%(blobs)b" in echo._sql.decode()
    async with database.transaction() as tx:
        assert [row.blob for row in await echo.run(tx, blobs=blobs)] == blobs
