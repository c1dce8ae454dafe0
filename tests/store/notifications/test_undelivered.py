import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.notifications import failed_messages, jobs, use_cases
from apps.notifications.domain import Category
from apps.notifications.failed_messages import CodeIsGoneError, Count, Filter, NotUndeliveredError
from apps.notifications.letters import Letter
from apps.notifications.undelivered import BATCH
from tests.store.notifications.conftest import Process, all_in, confirmations, customer, execute, rows, running, states
from tests.store.notifications.fakes import FakeDocuments, FakeSidecar

REFUSED = SidecarError("binding email: sending email failed: gomail: could not send email 1: 550 5.7.1 not today")


async def failed(database: Database, process: Process, sidecar: FakeSidecar, count: int = 1) -> list[UUID]:
    ids = await confirmations(database, [await customer(database) for _ in range(count)])
    sidecar.errors = [REFUSED] * count
    process.intake.bring(ids)
    await all_in(database, "failed")
    return ids


async def page(database: Database, **wanted: object) -> list[UUID]:
    async with database.transaction() as tx:
        found = await failed_messages.list_by_filter(tx, Filter.model_validate(wanted), None, 100)
    return [item.id for item in found.items]


async def tick(process: Process) -> None:
    await jobs.keep_the_undelivered(process.chassis)


async def test_what_did_not_arrive_is_put_away_sealed_and_sent_again_whole(database: Database) -> None:
    sidecar, store = FakeSidecar(), FakeDocuments()
    async with running(database, sidecar, documents=store, undelivered_ttl=timedelta(days=3)) as process:
        [id_] = await failed(database, process, sidecar)
        await tick(process)
        assert store.ttl_s == 3 * 86_400
        assert "A-0" not in store.kept[str(id_)].decode()
        [row] = await rows(database, "SELECT data, expires_at - now() AS rest FROM messages")
        assert row["data"] == {}
        assert timedelta(days=2) < row["rest"] <= timedelta(days=3)
        content = await process.office.cabinet.content(id_)
        assert content is not None
        assert content["data"]["number"] == "A-0"
        async with database.transaction() as tx:
            await failed_messages.want(tx, id_)
        await tick(process)
        process.intake.bring([id_])
        await all_in(database, "delivered")
    [(_, metadata, _)] = sidecar.sent
    assert metadata["subject"] == "Order A-0 is confirmed"
    assert await page(database) == []


async def test_while_the_store_is_away_nothing_is_lost_and_redelivery_goes_on(database: Database) -> None:
    sidecar, store = FakeSidecar(), FakeDocuments(away=True)
    async with running(database, sidecar, documents=store) as process:
        [id_] = await failed(database, process, sidecar)
        with pytest.raises(SidecarError):
            await tick(process)
        assert await page(database) == [id_]
        async with database.transaction() as tx:
            await failed_messages.want(tx, id_)
        assert await process.office.cabinet.send_again() == 1
        process.intake.bring([id_])
        await all_in(database, "delivered")


async def test_what_the_store_no_longer_has_is_said_to_be_gone(database: Database) -> None:
    sidecar, store = FakeSidecar(), FakeDocuments()
    async with running(database, sidecar, documents=store) as process:
        [id_] = await failed(database, process, sidecar)
        await tick(process)
        store.kept.clear()
        async with database.transaction() as tx:
            await failed_messages.want(tx, id_)
        await tick(process)
    [row] = await rows(database, "SELECT state, reason, wanted_at FROM messages")
    assert (row["state"], row["wanted_at"]) == ("failed", None)
    assert "no longer in the undelivered store" in row["reason"]


async def test_a_filter_chooses_what_is_listed_and_what_is_sent_again(database: Database) -> None:
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        ids = await failed(database, process, sidecar, 3)
        await execute(database, "UPDATE messages SET template = 'refund' WHERE id = :id", id=ids[0])
        assert await page(database, template="refund") == [ids[0]]
        assert await page(database, channel="sms") == []
        assert await page(database, template="order-confirmation", category="orders") == sorted(ids[1:], reverse=True)
        async with database.transaction() as tx:
            assert await failed_messages.want_all(tx, Filter(template="order-confirmation")) == Count(count=2)
            assert await failed_messages.want_all(tx, Filter(template="order-confirmation")) == Count(count=0)
        await tick(process)
        process.intake.bring(ids)
        await all_in(database, "delivered", "failed")
    assert sorted(await states(database)) == ["delivered", "delivered", "failed"]


async def test_what_is_discarded_is_forgotten_in_the_store_as_well(database: Database) -> None:
    sidecar, store = FakeSidecar(), FakeDocuments()
    async with running(database, sidecar, documents=store) as process:
        [id_] = await failed(database, process, sidecar)
        await tick(process)
        async with database.transaction() as tx:
            await failed_messages.discard(tx, id_)
            with pytest.raises(NotUndeliveredError):
                await failed_messages.discard(tx, id_)
        await tick(process)
    assert store.kept == {}
    assert await states(database) == ["discarded"]
    assert await page(database) == []


async def test_what_lies_too_long_is_given_up(database: Database) -> None:
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        await failed(database, process, sidecar)
        await tick(process)
        await execute(database, "UPDATE messages SET expires_at = now() - interval '1 second'")
        assert await page(database) == []
        await tick(process)
    assert await states(database) == ["discarded"]


async def test_a_code_is_destroyed_with_its_failure_and_cannot_be_sent_again(database: Database) -> None:
    data = '{"email": "a@example.org", "token": "t0k3n", "expires_at": "2026-05-01T12:00:00Z"}'
    letter = Letter(uuid4(), Category.SECURITY, "password-reset", data, email="a@example.org")
    sidecar, store = FakeSidecar(errors=[REFUSED]), FakeDocuments()
    async with database.transaction() as tx:
        await use_cases.queue(tx, [letter], [None])
    [id_] = [row["id"] for row in await rows(database, "SELECT id FROM messages")]
    async with running(database, sidecar, documents=store) as process:
        process.intake.bring([id_])
        await all_in(database, "failed")
        await tick(process)
        content = await process.office.cabinet.content(id_)
    assert content == {"data": {}, "sealed": None}
    async with database.transaction() as tx:
        with pytest.raises(CodeIsGoneError):
            await failed_messages.want(tx, id_)
        assert await failed_messages.want_all(tx, Filter()) == Count(count=0)


async def fill(database: Database, count: int) -> None:
    await execute(
        database,
        "INSERT INTO messages (id, dedup_key, email, category, priority, template, data, state, failed_at, reason) "
        "SELECT uuidv7(), gen_random_uuid(), 'a@example.org', 'orders', 1, 'refund', '{}', 'failed', now(), 'why' "
        "FROM generate_series(1, :count)",
        count=count,
    )


async def put_away_and_read(database: Database, count: int) -> tuple[list[float], int]:
    """Return how long each batch took to be put away, and how many a list read page by page finds."""
    took: list[float] = []
    async with running(database, FakeSidecar(), documents=FakeDocuments()) as process:
        for _ in range(0, count, 2_000):
            await fill(database, 2_000)
        moved = BATCH
        while moved == BATCH:
            began = time.perf_counter()
            moved = await process.office.cabinet.file()
            took.append(time.perf_counter() - began)
    seen, cursor = 0, None
    while True:
        async with database.transaction() as tx:
            found = await failed_messages.list_by_filter(tx, Filter(), cursor, 100)
        seen, cursor = seen + len(found.items), found.next
        if cursor is None:
            return took, seen


def median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


@pytest.mark.parametrize("count", [4_000, pytest.param(100_000, marks=pytest.mark.soak)])
@pytest.mark.timeout(300)
async def test_many_are_put_away_and_listed_at_a_cost_that_does_not_grow(database: Database, count: int) -> None:
    took, seen = await put_away_and_read(database, count)
    assert seen == count
    quarter = len(took) // 4
    assert median(took[-quarter - 1 : -1]) < 4 * median(took[:quarter]) + 0.02
    print(f"{count}: {sum(took):.1f} s, {median(took) * 1000:.1f} ms a batch of {BATCH}")
