import asyncio
import socket
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from apps.chassis.database import Database
from apps.notifications import store
from apps.notifications.domain import Category
from apps.notifications.letters import Letter
from tests.store.notifications.conftest import (
    DEADLINE_S,
    LEASE,
    all_in,
    confirmations,
    customer,
    execute,
    fact_is,
    holds,
    make_due,
    rows,
    running,
    states,
    until,
)
from tests.store.notifications.fakes import FakeSidecar


async def test_each_mail_goes_to_its_own_customer_one_at_a_time(database: Database) -> None:
    users = [await customer(database) for _ in range(30)]
    ids = await confirmations(database, users)
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered")
    assert sorted(sidecar.recipients) == sorted(f"{user}@example.org" for user in users)
    for number, user in enumerate(users):
        [(_, metadata, body)] = [mail for mail in sidecar.sent if mail[1]["emailTo"] == f"{user}@example.org"]
        assert metadata["subject"] == f"Order A-{number} is confirmed"
        assert f"<strong>A-{number}</strong>" in body
        assert (metadata["emailCC"], metadata["emailBCC"], metadata["listUnsubscribe"]) == ("", "", "")
        assert metadata["maybeTaken"] == ""
        assert f"A-{number}" in metadata["textBody"]
    assert sidecar.most_at_once == 1


async def test_more_components_are_more_lanes_with_one_mail_in_each(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(20)])
    sidecar = FakeSidecar()
    async with running(database, sidecar, email_lanes=("email", "email-2")) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered")
    assert {name for name, _, _ in sidecar.sent} == {"email", "email-2"}
    assert sidecar.most_at_once == 1


async def test_two_replicas_that_are_brought_the_same_send_it_once(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(40)])
    sidecar = FakeSidecar()
    async with running(database, sidecar, port=1) as one, running(database, sidecar, port=2) as two:
        one.intake.bring(ids)
        two.intake.bring(reversed(ids))
        await all_in(database, "delivered")
    assert len(sidecar.sent) == len(set(sidecar.recipients)) == 40


async def test_a_security_mail_overtakes_the_orders_that_wait(database: Database) -> None:
    user = await customer(database)
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [user] * 5))
        await until(lambda: fact_is(sum(sidecar.running.values()) == 1), "the first mail is being sent")
        data = '{"kind": "refresh_token_reused", "happened_at": "2026-05-01T12:00:00Z"}'
        letter = Letter(uuid4(), Category.SECURITY, "account-notice", data, user_id=user)
        async with database.transaction() as tx:
            added = await store.add(tx, [letter])
        process.intake.bring(added.values())
        await until(lambda: holds(process, 6), "all are claimed")
        sidecar.gate.set()
        await all_in(database, "delivered")
    assert [metadata["priority"] for _, metadata, _ in sidecar.sent] == ["3", "1", "3", "3", "3", "3"]


async def test_what_a_dead_sender_had_claimed_is_sent_once_its_lease_is_over(database: Database) -> None:
    ids = await confirmations(database, [await customer(database)])
    async with database.transaction() as tx:
        assert await store.claim(tx, ids, "a process that died", LEASE)
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await process.room.sweep()
        assert await states(database) == ["sending"]
        await make_due(database)
        await process.room.sweep()
        await all_in(database, "delivered")
    assert len(sidecar.sent) == 1
    # it may have gone out, and the component is the one that knows
    assert sidecar.sent[0][1]["maybeTaken"] == "true"


async def test_the_next_process_in_a_dead_ones_place_need_not_wait_for_the_lease(database: Database) -> None:
    ids = await confirmations(database, [await customer(database)])
    async with database.transaction() as tx:
        assert await store.claim(tx, ids, f"{socket.gethostname()}:8004", LEASE)
    sidecar = FakeSidecar()
    async with running(database, sidecar):
        await all_in(database, "delivered")
    assert len(sidecar.sent) == 1


async def test_what_the_queue_lost_is_sent_all_the_same(database: Database) -> None:
    await confirmations(database, [await customer(database)])
    await make_due(database)
    sidecar = FakeSidecar()
    async with running(database, sidecar):
        await all_in(database, "delivered")


async def test_told_to_stop_it_finishes_the_mail_in_hand_and_leaves_the_rest_to_others(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(3)])
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await until(lambda: holds(process, 3), "all are claimed")
        await until(lambda: fact_is(sum(sidecar.running.values()) == 1), "the first is being sent")
        stopping = asyncio.create_task(process.stop())
        stopped, _ = await asyncio.wait([stopping], timeout=0.3)
        assert not stopped
        sidecar.gate.set()
        await stopping
    assert len(sidecar.sent) == 1
    left = await rows(database, "SELECT state, due_at <= now() AS due FROM messages WHERE state <> 'delivered'")
    assert left == [{"state": "sending", "due": True}] * 2
    async with running(database, sidecar, port=2):
        await all_in(database, "delivered")
    assert len(set(sidecar.recipients)) == len(sidecar.sent) == 3


async def test_a_message_whose_lease_was_lost_is_not_sent(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar, lease=timedelta(milliseconds=600)) as process:
        process.intake.bring(ids)
        await until(lambda: holds(process, 2), "both are claimed")
        await until(lambda: fact_is(sum(sidecar.running.values()) == 1), "the first is being sent")
        await execute(database, "UPDATE messages SET holder = 'somebody else', due_at = now() + interval '1 hour'")
        await until(lambda: fact_is(0.0 in process.room._leased_until.values()), "the loss is noticed")
        sidecar.gate.set()
        await until(lambda: holds(process, 0), "nothing is held")
    assert len(sidecar.sent) == 1


async def test_leases_are_kept_while_a_provider_is_slow(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar, lease=timedelta(milliseconds=300)) as process:
        process.intake.bring(ids)
        await until(lambda: holds(process, 2), "both are claimed")
        [first] = await rows(database, "SELECT max(due_at) AS due FROM messages")

        async def renewed() -> bool:
            [now] = await rows(database, "SELECT min(due_at) AS due FROM messages")
            return bool(now["due"] > first["due"] + timedelta(milliseconds=300))

        await until(renewed, "the leases were prolonged")
        sidecar.gate.set()
        await all_in(database, "delivered")
    assert len(sidecar.sent) == 2


async def test_a_lane_is_never_far_ahead_of_what_is_written(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, open_again, tried = store.settle, asyncio.Event(), asyncio.Event()

    async def held_up(*arguments: Any) -> Any:
        tried.set()
        await open_again.wait()
        return await settle(*arguments)

    monkeypatch.setattr(store, "settle", held_up)
    ids = await confirmations(database, [await customer(database) for _ in range(12)])
    sidecar = FakeSidecar()
    async with running(database, sidecar, email_lanes=("email", "email-2")) as process:
        process.intake.bring(ids)
        await asyncio.wait_for(tried.wait(), DEADLINE_S)
        await until(lambda: fact_is(len(sidecar.sent) >= 8), "each lane has sent four")
        await asyncio.wait([asyncio.create_task(open_again.wait())], timeout=0.1)
        sent_meanwhile = len(sidecar.sent)
        open_again.set()
        await all_in(database, "delivered")
    assert sent_meanwhile == 8
    assert len(set(sidecar.recipients)) == len(sidecar.sent) == 12


async def test_an_outcome_that_could_not_be_written_is_written_later_and_the_lane_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, failures = store.settle, [ConnectionError("the database is away")]

    async def fails_first(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await settle(*arguments)

    monkeypatch.setattr(store, "settle", fails_first)
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered")
    assert len(set(sidecar.recipients)) == len(sidecar.sent) == 2
