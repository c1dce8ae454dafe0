import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from apps.chassis import outbox
from apps.chassis.codec import Codec, PlainCodec
from apps.chassis.database import Database
from apps.chassis.relay import Relay
from tests.store.chassis.conftest import Broker, count
from tests.store.chassis.things import Followed, Happened

FAST = timedelta(milliseconds=20)


class Sealed(PlainCodec):
    """Has lost the key of the rows it is told of."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self.opened: list[str] = []

    def open(self, sealed: bytes, context: str) -> bytes:
        self.opened.append(context)
        if context in self.lost:
            raise ValueError("the seal is broken")
        return super().open(sealed, context)


def relay_for(
    database: Database, broker: Broker, poll: timedelta = FAST, codec: Codec | None = None, batch: int = 3
) -> Relay:
    relay = Relay(database.engine, broker, codec or PlainCodec(), poll=poll, batch=batch)
    database.on_commit = relay.wake
    return relay


async def drain(relay: Relay, database: Database) -> int:
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        return await relay.drain(connection)


async def record(database: Database, *names: str) -> None:
    async with database.transaction() as tx:
        for number, name in enumerate(names, start=1):
            outbox.record(tx, Happened(name=name, sequence=number))


async def until_published(broker: Broker, expected: int) -> None:
    async with asyncio.timeout(60):
        while len(broker.published) < expected:
            await asyncio.sleep(0.005)


async def test_what_is_rolled_back_is_never_published(database: Database, broker: Broker) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as tx:
            outbox.record(tx, Happened(name="undone", sequence=1))
            await tx.execute(text("INSERT INTO effects VALUES ('undone')"))
            raise RuntimeError
    assert await drain(relay_for(database, broker), database) == 0
    assert (broker.published, await count(database, "effects")) == ([], 0)


async def test_facts_leave_in_the_order_they_were_recorded_and_once(database: Database, broker: Broker) -> None:
    names = [str(number) for number in range(10)]
    await record(database, *names)
    relay = relay_for(database, broker)
    await drain(relay, database)
    await drain(relay, database)
    assert [item.key for item in broker.published] == names


async def test_a_crash_between_publish_and_mark_publishes_again_under_the_same_id(
    database: Database, broker: Broker
) -> None:
    await record(database, "a", "b")
    relay = relay_for(database, broker)
    await drain(relay, database)
    async with database.transaction() as tx:  # what the crash would have left
        await tx.execute(text("UPDATE outbox SET published_at = NULL"))
    await drain(relay, database)
    first, second = broker.published[:2], broker.published[2:]
    assert [item.id for item in first] == [item.id for item in second]


async def test_a_rejected_fact_stays_and_its_neighbours_go(database: Database, broker: Broker) -> None:
    broker.refuse = {"b"}
    await record(database, "a", "b", "c")
    relay = relay_for(database, broker)
    assert await drain(relay, database) == 1
    broker.refuse = set()
    assert await drain(relay, database) == 0
    assert [item.key for item in broker.published] == ["a", "c", "b"]


async def test_a_destination_that_is_away_does_not_hold_up_another(database: Database, broker: Broker) -> None:
    broker.fail_topics = {"happened"}
    async with database.transaction() as tx:
        for number in range(1, 8):  # more than a batch of the failing one stands in front
            outbox.record(tx, Happened(name="stuck", sequence=number))
        outbox.record(tx, Followed(name="goes", sequence=1))
    assert await drain(relay_for(database, broker), database) == 7
    assert [item.key for item in broker.published] == ["goes"]


async def until_marked(database: Database) -> None:
    unmarked = text("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    async with asyncio.timeout(60):
        while True:
            async with database.transaction() as tx:
                if not await tx.scalar(unmarked):
                    return
            await asyncio.sleep(0.005)


async def rows(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return [f"outbox:{id_}" for id_ in await tx.scalars(text("SELECT id FROM outbox ORDER BY id"))]


async def test_rows_that_cannot_be_opened_are_named_and_skipped_and_leave_once_they_can(
    database: Database, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(database, "a", "b", "c", "d", "e")
    codec, stored = Sealed(), await rows(database)
    codec.lost = {stored[1], *stored[2:4]}
    relay = relay_for(database, broker, codec=codec, batch=2)
    assert await drain(relay, database) == 3
    assert [item.key for item in broker.published] == ["a", "e"]
    told = capsys.readouterr().out
    assert all(row.removeprefix("outbox:") in told for row in codec.lost)
    assert await drain(relay, database) == 0, "known by now: what is new must not wait for them"
    assert "unreadable" not in capsys.readouterr().out, "named once, not at each poll"
    codec.lost = set()
    await drain(relay, database)
    assert [item.key for item in broker.published] == ["a", "e", "b", "c", "d"]


async def test_an_altered_row_is_skipped_like_one_that_cannot_be_opened(database: Database, broker: Broker) -> None:
    await record(database, "a", "b")
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE outbox SET envelope = '{}' WHERE id = (SELECT min(id::text)::uuid FROM outbox)"))
    assert await drain(relay_for(database, broker), database) == 1
    assert [item.key for item in broker.published] == ["b"]


async def test_a_row_that_cannot_be_opened_neither_stops_the_relay_nor_makes_it_spin(
    database: Database, broker: Broker
) -> None:
    await record(database, "lost")
    codec = Sealed()
    (lost,) = await rows(database)
    codec.lost = {lost}
    relay = relay_for(database, broker, poll=timedelta(milliseconds=50), codec=codec)
    task = asyncio.create_task(relay.run())
    started = asyncio.get_running_loop().time()
    for number in range(3):
        await record(database, f"later {number}")
        await until_published(broker, number + 1)
    passes, took = codec.opened.count(lost), asyncio.get_running_loop().time() - started
    task.cancel()
    # one at each poll, one for each commit, and one on the way in
    assert passes <= took / 0.05 + 3 + 1


async def test_a_commit_wakes_the_relay_before_its_poll_is_due(database: Database, broker: Broker) -> None:
    relay = relay_for(database, broker, poll=timedelta(seconds=60))
    task = asyncio.create_task(relay.run())
    async with asyncio.timeout(60):
        while not relay.leading:
            await asyncio.sleep(0.005)
        await record(database, "at once")
        await until_published(broker, 1)
    task.cancel()


async def test_one_relay_leads_and_another_takes_over(database: Database, broker: Broker) -> None:
    relays = [relay_for(database, broker) for _ in range(3)]
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    await record(database, "first")
    await until_published(broker, 1)
    leading = [relay.leading for relay in relays]
    assert sum(leading) == 1
    # one that goes between publishing and marking leaves a copy to the next, under the same id
    await until_marked(database)
    tasks[leading.index(True)].cancel()
    await record(database, "second")
    await until_published(broker, 2)
    assert [item.key for item in broker.published] == ["first", "second"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_relay_outlives_a_lost_database_session(database: Database, broker: Broker) -> None:
    relay = relay_for(database, broker)
    task = asyncio.create_task(relay.run())
    await record(database, "before")
    await until_published(broker, 1)
    async with database.transaction() as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    await record_until_it_works(database, "after")
    await until_published(broker, 2)
    task.cancel()


async def record_until_it_works(database: Database, name: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await record(database, name)
            except Exception:  # noqa: BLE001  # pooled sessions were cut with the rest
                await asyncio.sleep(0.01)
            else:
                return


async def test_a_fact_keeps_the_trace_of_what_caused_it(database: Database, broker: Broker) -> None:
    cause = Happened(name="cause", sequence=1)
    cause.arrived_with("00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    async with database.transaction() as tx:
        outbox.record(tx, Followed(name="effect", sequence=1), caused_by=cause)
    await drain(relay_for(database, broker), database)
    assert broker.published[0].traceparent == cause.traceparent


async def test_what_is_through_is_marked_while_another_destination_hangs(database: Database, broker: Broker) -> None:
    async with database.transaction() as tx:
        outbox.record(tx, Happened(name="through", sequence=1))
        outbox.record(tx, Followed(name="waits", sequence=1))
    broker.hangs.add("followed")
    relaying = asyncio.create_task(relay_for(database, broker).run())
    try:
        async with asyncio.timeout(60):
            while await count(database, "outbox WHERE published_at IS NOT NULL") == 0:
                await asyncio.sleep(0.02)
        assert [item.key for item in broker.published] == ["through"]
        broker.hangs.clear()
        await until_published(broker, 2)
    finally:
        relaying.cancel()
