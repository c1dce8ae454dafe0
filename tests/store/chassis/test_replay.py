from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from apps.chassis import outbox
from apps.chassis.codec import PlainCodec
from apps.chassis.database import Database
from apps.chassis.replay import Replayed, ReplayPage, replay
from apps.chassis.sidecar import SidecarError
from tests.store.chassis.conftest import Broker, count
from tests.store.chassis.test_event_routes import bulk
from tests.store.chassis.things import Chance, Followed, Happened, slug
from tests.support.asgi import call

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEPT = timedelta(hours=24)


async def publish(database: Database, *names: str, at: datetime | None = NOON, kind: type[Happened] = Happened) -> None:
    """Leave facts in the outbox as the relay does once they are published; without *at*, as before that."""
    async with database.transaction() as tx:
        for name in names:
            outbox.record(tx, kind(name=name, sequence=1))
    if at:
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE outbox SET published_at = :at WHERE published_at IS NULL"), {"at": at})


async def replayed(
    database: Database, broker: Broker, since: datetime = NOON, until: datetime = NOON, **asked: object
) -> list[Replayed]:
    """Publish page after page, as the operator's command does."""
    page = ReplayPage.model_validate({"since": since, "until": until, **asked})
    told: list[Replayed] = []
    while True:
        told.append(await replay(database, broker, PlainCodec(), page, KEPT))
        if told[-1].next is None:
            return told
        page = page.model_copy(update={"after": told[-1].next})


async def test_facts_are_published_again_under_their_ids_and_in_their_order(database: Database, broker: Broker) -> None:
    await publish(database, *"abcdefg")
    told = await replayed(database, broker, limit=3)
    assert [item.key for item in broker.published] == list("abcdefg")
    assert [page.published for page in told] == [{"happened": 3}, {"happened": 3}, {"happened": 1}]
    async with database.transaction() as tx:
        ids = list(await tx.scalars(text("SELECT id FROM outbox ORDER BY id")))
    assert [item.id for item in broker.published] == ids
    await replayed(database, broker, limit=7)
    assert [item.id for item in broker.published] == [*ids, *ids], "as often as one likes"


async def test_both_ends_of_the_stretch_belong_to_it_and_nothing_else(database: Database, broker: Broker) -> None:
    minute = timedelta(minutes=1)
    for name, at in (("before", NOON - minute), ("first", NOON), ("last", NOON + minute), ("after", NOON + 2 * minute)):
        await publish(database, name, at=at)
    await publish(database, "not yet", at=None)
    await replayed(database, broker, NOON, NOON + minute)
    assert [item.key for item in broker.published] == ["first", "last"]


async def test_one_topic_alone_may_be_asked_for(database: Database, broker: Broker) -> None:
    await publish(database, "a", "b")
    await publish(database, "c", kind=Followed)
    told = await replayed(database, broker, topic="followed", limit=2)
    assert [item.key for item in broker.published] == ["c"]
    assert [page.published for page in told] == [{}, {"followed": 1}]


@pytest.mark.parametrize("refuse", [{"refuse": {"b"}}, {"fail_topics": {"happened"}}])
async def test_a_page_that_the_broker_does_not_take_comes_again_whole(
    refuse: dict[str, set[str]], database: Database, broker: Broker
) -> None:
    await publish(database, "a", "b")
    for name, value in refuse.items():
        setattr(broker, name, value)
    with pytest.raises((SidecarError, ConnectionError)):
        await replayed(database, broker)
    broker.refuse, broker.fail_topics, broker.published = set(), set(), []
    await replayed(database, broker)
    assert [item.key for item in broker.published] == ["a", "b"]


async def test_what_cannot_be_opened_is_counted_and_skipped(database: Database, broker: Broker) -> None:
    await publish(database, "a", "b")
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE outbox SET envelope = '{}' WHERE id = (SELECT min(id::text)::uuid FROM outbox)"))
    (page,) = await replayed(database, broker)
    assert (page.published, page.unreadable) == ({"happened": 1}, 1)


async def test_the_answer_says_how_far_back_facts_are_kept(database: Database, broker: Broker) -> None:
    (page,) = await replayed(database, broker)
    assert abs(datetime.now(UTC) - KEPT - page.kept_since) < timedelta(minutes=1)


async def test_nobody_replays_through_a_sidecar_or_without_the_apps_token(app: FastAPI) -> None:
    page = {"since": NOON.isoformat(), "until": NOON.isoformat()}
    for caller in ("edge", "things"):
        reply = await call(app, "POST", "/internal/operator/replay", page, {"dapr-caller-app-id": caller})
        assert slug(reply) == (403, "caller-not-allowed")
    assert (await call(app, "POST", "/internal/operator/replay", page, {"dapr-api-token": "wrong"})).status == 401
    copy = {"role": "papers", "source": "papers", "target": "papers-next"}
    assert slug(await call(app, "POST", "/internal/operator/documents/copy", copy)) == (404, "no-such-documents")


@pytest.mark.parametrize("broken", [True, False])
async def test_a_dead_letter_that_was_discarded_does_not_come_back_when_its_event_does(
    broken: bool, app: FastAPI, database: Database, chance: Chance
) -> None:
    support = {"authorization": "Bearer support"}
    chance.unlucky = True
    await call(app, "POST", "/events/happened", bulk("a", broken=broken))
    [letter] = (await call(app, "GET", "/dead-letters", headers=support)).json()["items"]
    assert (await call(app, "DELETE", f"/dead-letters/{letter['id']}", headers=support)).status == 204
    await call(app, "POST", "/events/happened", bulk("a", broken=broken))
    assert (await count(database, "dead_letters"), await count(database, "effects")) == (0, 0)
