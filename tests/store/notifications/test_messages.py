import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from apps.chassis.database import Database
from apps.contracts.base import Event
from apps.contracts.orders import OrderPaid
from apps.contracts.users import EmailVerificationRequested
from apps.notifications import letters, store, use_cases
from apps.notifications.catalogue import Catalogue, UnknownTemplateError
from apps.notifications.domain import Outcome, State
from apps.notifications.schemas import SendNotification
from apps.notifications.use_cases import TemplateMismatchError
from tests.store.notifications.conftest import LEASE, all_in, execute, order_paid, rows, running, states
from tests.store.notifications.fakes import FakeSidecar

TOKEN = "t0k3n"
CATALOGUE = Catalogue()


async def queue(database: Database, events: list[OrderPaid]) -> None:
    async with database.transaction() as tx:
        found: list[Event] = list(events)
        await use_cases.queue(tx, [letters.about_order(event, "order-confirmation") for event in events], found)


async def test_batches_that_overlap_at_the_same_time_queue_each_message_once(database: Database) -> None:
    events = [order_paid() for _ in range(60)]
    shuffled = [random.Random(seed).sample(events, 40) for seed in range(8)]
    await asyncio.gather(*(queue(database, batch) for batch in [events, *shuffled]))
    assert len(await states(database)) == 60
    assert len(await rows(database, "SELECT id FROM outbox")) == 60


async def test_a_fact_repeated_within_a_batch_is_queued_once(database: Database) -> None:
    event = order_paid()
    await queue(database, [event, event])
    assert await states(database) == ["queued"]
    assert len(await rows(database, "SELECT id FROM outbox")) == 1


async def test_two_claims_at_once_share_nothing_and_leave_nothing(database: Database) -> None:
    await queue(database, [order_paid() for _ in range(100)])
    ids = [row["id"] for row in await rows(database, "SELECT id FROM messages")]

    async def take(holder: str) -> list[UUID]:
        async with database.transaction() as tx:
            return [message.id for message in await store.claim(tx, ids, holder, LEASE)]

    taken = await asyncio.gather(*(take(f"holder-{number}") for number in range(4)))
    flat = [id_ for part in taken for id_ in part]
    assert sorted(flat) == sorted(ids)


async def test_sweepers_at_once_share_nothing(database: Database) -> None:
    await queue(database, [order_paid() for _ in range(60)])
    await execute(database, "UPDATE messages SET due_at = now() - interval '1 second'")

    async def take(holder: str) -> list[UUID]:
        async with database.transaction() as tx:
            return [message.id for message in await store.claim_due(tx, 15, holder, LEASE)]

    taken = await asyncio.gather(*(take(f"holder-{number}") for number in range(4)))
    flat = [id_ for part in taken for id_ in part]
    assert len(flat) == len(set(flat))
    assert all(len(part) <= 15 for part in taken)


async def test_what_the_queue_has_not_brought_yet_is_left_to_it_for_a_while(database: Database) -> None:
    await queue(database, [order_paid()])
    async with database.transaction() as tx:
        assert await store.claim_due(tx, 10, "sweeper", LEASE) == []
    await execute(database, "UPDATE messages SET due_at = due_at - CAST(:grace AS interval)", grace=store.GRACE)
    async with database.transaction() as tx:
        assert len(await store.claim_due(tx, 10, "sweeper", LEASE)) == 1


async def test_only_the_holder_can_say_that_it_failed_but_anybody_that_it_was_delivered(database: Database) -> None:
    await queue(database, [order_paid()])
    [id_] = [row["id"] for row in await rows(database, "SELECT id FROM messages")]
    for holder in ("first", "second"):
        await execute(database, "UPDATE messages SET due_at = now()")
        async with database.transaction() as tx:
            assert await store.claim_due(tx, 1, holder, LEASE)
    async with database.transaction() as tx:
        await store.settle(tx, [Outcome(id_, State.FAILED, "too late to say")], "first")
    assert await states(database) == ["sending"]
    async with database.transaction() as tx:
        await store.settle(tx, [Outcome(id_, State.DELIVERED)], "first")
    assert await states(database) == ["delivered"]
    async with database.transaction() as tx:
        await store.settle(tx, [Outcome(id_, State.RETRYING, "why", datetime.now(UTC))], "second")
    assert await states(database) == ["delivered"]


async def test_a_lease_is_renewed_for_its_holder_only(database: Database) -> None:
    await queue(database, [order_paid()])
    ids = [row["id"] for row in await rows(database, "SELECT id FROM messages")]
    async with database.transaction() as tx:
        await store.claim(tx, ids, "holder", LEASE)
        assert await store.renew(tx, ids, "somebody else", LEASE) == set()
        assert await store.renew(tx, ids, "holder", LEASE) == set(ids)


def verification_requested() -> EmailVerificationRequested:
    told = {"email": "ann@example.org", "locale": "en", "token": TOKEN, "expires_at": datetime.now(UTC)}
    return EmailVerificationRequested.model_validate({"user_id": uuid4(), "sequence": 1, **told})


@pytest.mark.parametrize("end", [State.DELIVERED, State.FAILED])
async def test_a_token_outlives_neither_its_delivery_nor_its_failure(database: Database, end: State) -> None:
    event = verification_requested()
    async with database.transaction() as tx:
        await use_cases.queue(tx, [letters.code(event, "verify-email")], [event])
    [id_] = [row["id"] for row in await rows(database, "SELECT id FROM messages")]
    async with database.transaction() as tx:
        await store.claim(tx, [id_], "holder", LEASE)
        await store.settle(tx, [Outcome(id_, end)], "holder")
    assert await states(database) == [end]
    assert await rows(database, "SELECT data, sealed FROM messages") == [{"data": {}, "sealed": None}]


async def test_a_token_that_waits_to_be_sent_stands_nowhere_in_clear(database: Database) -> None:
    event = verification_requested()
    async with database.transaction() as tx:
        await use_cases.queue(tx, [letters.code(event, "verify-email")], [event])
    stored = str(await rows(database, "SELECT messages::text FROM messages UNION ALL SELECT outbox::text FROM outbox"))
    assert TOKEN not in stored
    assert TOKEN.encode().hex() not in stored


async def test_what_is_sealed_is_read_again_when_it_is_sent(database: Database) -> None:
    event = verification_requested()
    async with database.transaction() as tx:
        await use_cases.queue(tx, [letters.code(event, "verify-email")], [event])
    await execute(database, "UPDATE messages SET due_at = now()")
    sidecar = FakeSidecar()
    async with running(database, sidecar):
        await all_in(database, "delivered")
    [(_, _, body)] = sidecar.sent
    assert TOKEN in body


def command(**changes: object) -> SendNotification:
    asked = {
        "recipient": {"email": "ann@example.org"},
        "template": "account-notice",
        "category": "security",
        "data": {"kind": "refresh_token_reused", "happened_at": "2026-05-01T12:00:00Z"},
    }
    return SendNotification.model_validate({**asked, **changes})


async def test_what_another_service_asks_for_twice_under_one_key_is_one_message(database: Database) -> None:
    async with database.transaction() as tx:
        first = await use_cases.accept(tx, CATALOGUE, "app:orders", command(dedup_key="once"))
    async with database.transaction() as tx:
        assert await use_cases.accept(tx, CATALOGUE, "app:orders", command(dedup_key="once")) == first
        assert await use_cases.accept(tx, CATALOGUE, "app:orders", command()) != first
    assert len(await states(database)) == 2


async def test_two_services_that_chose_the_same_key_mean_two_messages(database: Database) -> None:
    async with database.transaction() as tx:
        first = await use_cases.accept(tx, CATALOGUE, "app:orders", command(dedup_key="once"))
        assert await use_cases.accept(tx, CATALOGUE, "app:payments", command(dedup_key="once")) != first
    assert len(await states(database)) == 2


async def test_a_message_for_later_is_not_sent_before(database: Database) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    async with database.transaction() as tx:
        await use_cases.accept(tx, CATALOGUE, "app:orders", command(not_before=later))
    assert await rows(database, "SELECT id FROM outbox") == []
    assert [row["due_at"] for row in await rows(database, "SELECT due_at FROM messages")] == [later]


async def test_data_that_does_not_fit_its_template_is_refused_at_once(database: Database) -> None:
    async with database.transaction() as tx:
        with pytest.raises(TemplateMismatchError, match="happened_at"):
            await use_cases.accept(tx, CATALOGUE, "app:orders", command(data={"kind": "refresh_token_reused"}))
        with pytest.raises(UnknownTemplateError):
            await use_cases.accept(tx, CATALOGUE, "app:orders", command(template="birthday"))
    assert await states(database) == []


async def test_people_see_what_was_written_to_them_page_by_page(database: Database) -> None:
    ann, bob = uuid4(), uuid4()
    await queue(database, [order_paid(ann, f"A-{number}") for number in range(5)] + [order_paid(bob)])
    seen: list[UUID] = []
    cursor: UUID | None = None
    async with database.transaction() as tx:
        while True:
            page = await use_cases.page(tx, ann, cursor, 2)
            seen += [item.id for item in page.items]
            cursor = page.next
            if cursor is None:
                break
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, reverse=True)


async def test_a_message_for_nobody_cannot_be_stored(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await execute(
            database,
            "INSERT INTO messages (id, dedup_key, category, priority, template, data, due_at) "
            "VALUES (gen_random_uuid(), gen_random_uuid(), 'orders', 1, 'refund', '{}', now())",
        )
