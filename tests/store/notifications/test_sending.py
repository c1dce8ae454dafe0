import asyncio
import socket
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.contracts.base import Event
from apps.notifications import letters, store, use_cases
from apps.notifications.domain import Category
from apps.notifications.letters import Letter
from apps.notifications.rendering import languages
from tests.store.notifications.conftest import (
    LEASE,
    FakeSidecar,
    Process,
    contact,
    execute,
    order_paid,
    rows,
    running,
    states,
    until,
)

REFUSED = SidecarError("binding email: sending email failed: gomail: could not send email 1: 550 5.1.1 no such user")
AWAY = SidecarError("binding email: dial tcp 127.0.0.1:1025: connect: connection refused")


async def customer(database: Database, **changes: Any) -> UUID:
    user = uuid4()
    async with database.transaction() as tx:
        await use_cases.keep_contacts(tx, [contact(user, **changes)])
    return user


async def confirmations(database: Database, customers: list[UUID]) -> list[UUID]:
    events = [order_paid(user, f"A-{number}") for number, user in enumerate(customers)]
    causes: list[Event] = list(events)
    async with database.transaction() as tx:
        await use_cases.queue(tx, [letters.about_order(event, "order-confirmation") for event in events], causes)
    return [row["id"] for row in await rows(database, "SELECT id FROM messages ORDER BY id")]


async def all_in(database: Database, *expected: str) -> None:
    async def met() -> bool:
        found = await states(database)
        return bool(found) and set(found) <= set(expected)

    await until(met, f"every message is {expected}")


async def make_due(database: Database) -> None:
    await execute(database, "UPDATE messages SET due_at = now() - interval '1 second' WHERE due_at IS NOT NULL")


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
        assert set(metadata) == {"emailTo", "emailFrom", "emailCC", "emailBCC", "subject", "priority"}
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
        await until(lambda: _is(sum(sidecar.running.values()) == 1), "the first mail is being sent")
        data = '{"kind": "refresh_token_reused", "happened_at": "2026-05-01T12:00:00Z"}'
        letter = Letter(uuid4(), Category.SECURITY, "account-notice", data, user_id=user)
        async with database.transaction() as tx:
            process.intake.bring((await store.add(tx, [letter])).values())
        await until(lambda: _held(process, 6), "all are claimed")
        sidecar.gate.set()
        await all_in(database, "delivered")
    assert [metadata["priority"] for _, metadata, _ in sidecar.sent] == ["3", "1", "3", "3", "3", "3"]


async def _is(fact: bool) -> bool:
    return fact


async def _held(process: Process, count: int) -> bool:
    return len(process.room._leased_until) == count


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
        await until(lambda: _held(process, 3), "all are claimed")
        await until(lambda: _is(sum(sidecar.running.values()) == 1), "the first is being sent")
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
    async with running(database, sidecar, lease=timedelta(milliseconds=90)) as process:
        process.intake.bring(ids)
        await until(lambda: _held(process, 2), "both are claimed")
        await until(lambda: _is(sum(sidecar.running.values()) == 1), "the first is being sent")
        await execute(database, "UPDATE messages SET holder = 'somebody else', due_at = now() + interval '1 hour'")
        await until(lambda: _is(0.0 in process.room._leased_until.values()), "the loss is noticed")
        sidecar.gate.set()
        await until(lambda: _held(process, 0), "nothing is held")
    assert len(sidecar.sent) == 1


async def test_leases_are_kept_while_a_provider_is_slow(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar, lease=timedelta(milliseconds=300)) as process:
        process.intake.bring(ids)
        await until(lambda: _held(process, 2), "both are claimed")
        [first] = await rows(database, "SELECT max(due_at) AS due FROM messages")

        async def renewed() -> bool:
            [now] = await rows(database, "SELECT min(due_at) AS due FROM messages")
            return bool(now["due"] > first["due"] + timedelta(milliseconds=300))

        await until(renewed, "the leases were prolonged")
        sidecar.gate.set()
        await all_in(database, "delivered")
    assert len(sidecar.sent) == 2


async def test_a_refusal_for_good_is_kept_with_its_reason_and_the_next_mail_goes_out(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar(errors=[REFUSED])
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered", "failed")
    found = await rows(database, "SELECT state, reason, due_at FROM messages ORDER BY state DESC")
    assert [(row["state"], row["due_at"]) for row in found] == [("failed", None), ("delivered", None)]
    assert "no such user" in found[0]["reason"]


async def test_an_outage_is_waited_out(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar(errors=[AWAY, AWAY])
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "retrying")
        later = await rows(database, "SELECT attempts FROM messages WHERE due_at > now() AND holder IS NULL")
        assert [row["attempts"] for row in later] == [1, 1]
        await make_due(database)
        await process.room.sweep()
        await all_in(database, "delivered")
    assert len(set(sidecar.recipients)) == len(sidecar.sent) == 2


async def test_more_than_fits_is_fetched_when_there_is_room(database: Database) -> None:
    await confirmations(database, [await customer(database)] * 50)
    await make_due(database)
    sidecar = FakeSidecar()
    async with running(database, sidecar, capacity=8):
        await all_in(database, "delivered")
    assert len(sidecar.sent) == 50


async def test_a_customer_nobody_told_of_is_asked_for_and_remembered(database: Database) -> None:
    user = uuid4()
    sidecar = FakeSidecar(known={user: contact(user, 7, locale="de")})
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [user]))
        await all_in(database, "delivered")
    [(_, metadata, _)] = sidecar.sent
    assert metadata["emailTo"] == f"{user}@example.org"
    assert metadata["subject"] == "Bestellung A-0 ist bestätigt"
    assert [row["sequence"] for row in await rows(database, "SELECT sequence FROM contacts")] == [7]


async def test_users_being_away_holds_up_nobody_else(database: Database) -> None:
    stranger, known = uuid4(), await customer(database)
    sidecar = FakeSidecar(users_error=SidecarError("users could not be reached"))
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [stranger, known]))
        await all_in(database, "delivered", "retrying")
        assert sidecar.recipients == [f"{known}@example.org"]
        sidecar.users_error, sidecar.known = None, {stranger: contact(stranger)}
        await make_due(database)
        await process.room.sweep()
        await all_in(database, "delivered")


async def test_a_recipient_who_does_not_exist_is_a_failure_for_good(database: Database) -> None:
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [uuid4()]))
        await all_in(database, "failed")
    assert sidecar.sent == []


async def test_an_address_that_could_reach_others_is_never_written_to(database: Database) -> None:
    user = await customer(database, email="ann@example.org;eve@example.org")
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [user]))
        await all_in(database, "failed")
    assert sidecar.sent == []


async def test_a_message_that_cannot_be_rendered_fails_by_itself(database: Database) -> None:
    user = await customer(database)
    assert "refund" in languages()
    async with database.transaction() as tx:
        await store.add(tx, [Letter(uuid4(), Category.ORDERS, "refund", "{}", user_id=user)])
    ids = await confirmations(database, [user])
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered", "failed")
    [reason] = [row["reason"] for row in await rows(database, "SELECT reason FROM messages WHERE state = 'failed'")]
    assert reason.startswith("template refund/en: ")
    assert len(sidecar.sent) == 1
