import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis import inbox, outbox
from apps.chassis.database import Database
from apps.chassis.deliveries import Delivery, read
from apps.chassis.events import EventHandlers
from apps.chassis.inbox import OutageError, Subscriber
from tests.store.chassis.conftest import count
from tests.store.chassis.things import Followed, Happened


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "RETRY_DELAYS_S", (0.001, 0.002, 0.004))


def delivery(event_id: str, name: str = "x") -> Delivery:
    return read(Happened, event_id, {"id": event_id, "data": {"name": name, "sequence": 1}})


def malformed(event_id: str) -> Delivery:
    return read(Happened, event_id, {"id": event_id, "data": {"sequence": "many"}})


class Effects:
    """A handler that leaves a row and a fact per event, and fails for the names it is told to."""

    def __init__(self, *fail: str, times: int = 10**6, error: Exception | None = None) -> None:
        self.fail, self.times, self.error = fail, times, error or ValueError("no such thing")
        self.calls = 0

    async def __call__(self, events: Sequence[Any], tx: AsyncSession) -> None:
        self.calls += 1
        for event in events:
            await tx.execute(text("INSERT INTO effects VALUES (:name)"), {"name": event.name})
            outbox.record(tx, Followed(name=event.name, sequence=1))
            if event.name in self.fail and self.times > 0:
                self.times -= 1
                raise self.error


async def test_the_same_event_twice_has_one_effect(database: Database) -> None:
    subscriber = Subscriber(Happened, Effects())
    await inbox.receive(database, subscriber, [delivery("1"), delivery("1"), delivery("2")])
    await inbox.receive(database, subscriber, [delivery("2"), delivery("1")])
    assert await count(database, "effects") == 2


async def test_the_same_events_at_the_same_time_have_one_effect_and_no_deadlock(database: Database) -> None:
    subscriber = Subscriber(Happened, Effects())
    batch = [delivery(str(number)) for number in range(50)]
    await asyncio.gather(
        *(inbox.receive(database, subscriber, list(order)) for order in (batch, batch[::-1], batch, batch[::-1]))
    )
    assert await count(database, "effects") == 50


async def test_a_bad_event_neither_fails_nor_blocks_its_neighbours(database: Database) -> None:
    subscriber = Subscriber(Happened, Effects("bad"))
    batch = [delivery("1", "good"), delivery("2", "bad"), delivery("3", "good")]
    await inbox.receive(database, subscriber, batch)
    assert (await count(database, "effects"), await count(database, "dead_letters")) == (2, 1)
    assert await count(database, "outbox") == 2, "what the failed handler recorded must not leave"


async def test_an_event_that_fails_at_first_is_tried_again_and_not_kept_as_dead(database: Database) -> None:
    subscriber = Subscriber(Happened, Effects("late", times=3))
    await inbox.receive(database, subscriber, [delivery("1", "late")])
    assert (await count(database, "effects"), await count(database, "dead_letters")) == (1, 0)


async def test_a_malformed_event_is_kept_once_with_its_reason_and_never_reaches_the_handler(database: Database) -> None:
    handler = Effects()
    for _ in range(2):
        await inbox.receive(database, Subscriber(Happened, handler), [malformed("1"), delivery("2")])
    assert (await count(database, "dead_letters"), await count(database, "effects")) == (1, 1)
    async with database.transaction() as tx:
        stored = bytes(await tx.scalar(text("SELECT envelope FROM dead_letters"))).decode()
    assert "name: Field required" in stored
    assert "many" in stored, "the event itself is kept, to be mended"


async def test_an_outage_leaves_nothing_done_and_asks_for_the_batch_again(database: Database) -> None:
    outage = OperationalError("select", {}, Exception("gone"))
    subscriber = Subscriber(Happened, Effects("b", times=1, error=outage))
    batch = [delivery("1", "a"), delivery("2", "b")]
    with pytest.raises(OutageError):
        await inbox.receive(database, subscriber, batch)
    assert [await count(database, table) for table in ("effects", "inbox", "dead_letters", "outbox")] == [0, 0, 0, 0]
    await inbox.receive(database, subscriber, batch)
    assert await count(database, "effects") == 2


async def test_a_batch_without_trouble_costs_one_call_of_its_handler(database: Database) -> None:
    handler = Effects()
    await inbox.receive(database, Subscriber(Happened, handler), [delivery(str(number)) for number in range(100)])
    assert handler.calls == 1


async def test_two_hundred_bad_events_share_their_pauses_and_are_not_handled_when_they_come_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "RETRY_DELAYS_S", (0.5,))
    handler = Effects("bad")
    batch = [delivery(str(number), "bad") for number in range(200)]
    async with asyncio.timeout(50):  # 200 pauses one after the other take 100 s
        await inbox.receive(database, Subscriber(Happened, handler), batch)
    assert (await count(database, "dead_letters"), await count(database, "effects")) == (200, 0)
    handler.calls = 0
    await inbox.receive(database, Subscriber(Happened, handler), batch)
    assert handler.calls == 0
    await inbox.receive(database, Subscriber(Happened, handler), [*batch, delivery("new", "good")])
    assert (handler.calls, await count(database, "effects")) == (1, 1)


async def test_a_dead_letter_sent_again_by_hand_reaches_its_handler(database: Database) -> None:
    handler = Effects("bad")
    subscriber = Subscriber(Happened, handler)
    await inbox.receive(database, subscriber, [delivery("1", "bad")])
    handler.fail = ()
    async with database.transaction() as tx:
        assert await inbox.attempt(tx, subscriber, delivery("1", "bad"), by_hand=True) is None
    assert await count(database, "effects") == 1


async def test_a_hint_is_heard_without_a_row_and_a_malformed_one_is_kept(database: Database) -> None:
    heard: list[str] = []
    handlers = EventHandlers()

    @handlers.on_hint(Happened)
    def hear(events: Sequence[Happened]) -> None:
        heard.extend(event.name for event in events)

    subscriber = handlers.find(Happened.topic)
    await inbox.receive(database, subscriber, [delivery("1", "a"), malformed("2"), delivery("3", "b")])
    await inbox.receive(database, subscriber, [delivery("1", "a")])
    assert heard == ["a", "b", "a"]
    assert (await count(database, "inbox"), await count(database, "dead_letters")) == (0, 1)
    async with database.transaction() as tx:
        assert await inbox.attempt(tx, subscriber, delivery("4", "c")) is None
    assert heard[-1] == "c", "redelivery reaches it as well"
