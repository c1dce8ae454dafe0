import asyncio
import time

from apps.chassis.database import Database


async def held(database: Database, until: asyncio.Event, begun: asyncio.Event) -> None:
    async with database.reading():
        begun.set()
        await until.wait()


async def test_a_connection_that_is_still_being_given_back_is_waited_for(database: Database) -> None:
    begun, release = asyncio.Event(), asyncio.Event()
    holding = asyncio.create_task(held(database, release, begun))
    await begun.wait()
    closing = asyncio.create_task(database.close())
    assert not (await asyncio.wait({closing}, timeout=0.1))[0], "closed while one was out"
    release.set()
    await closing
    assert holding.done(), "closed before it was back"


async def test_one_that_never_comes_back_is_left(database: Database) -> None:
    async with database.reading() as connection:
        began = time.monotonic()
        await database.close()
        assert time.monotonic() - began < 60
        await connection.invalidate()
