from typing import Any
from uuid import uuid4

import pytest

from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.notifications import store
from apps.notifications.domain import Category
from apps.notifications.letters import Letter
from apps.notifications.shipped import shipped
from tests.store.notifications.conftest import all_in, confirmations, contact, customer, make_due, rows, running
from tests.store.notifications.fakes import FakeSidecar

REFUSED = SidecarError("binding email: sending email failed: gomail: could not send email 1: 550 5.1.1 no such user")
AWAY = SidecarError("binding email: dial tcp 127.0.0.1:1025: connect: connection refused")


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


async def test_a_claim_that_failed_is_made_again_since_the_queue_will_not_bring_it_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, failures = store.claim, [ConnectionError("the database is away")]

    async def fails_first(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await claim(*arguments)

    monkeypatch.setattr(store, "claim", fails_first)
    ids = await confirmations(database, [await customer(database)])
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered")
    assert failures == []


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
    assert ("refund", "email", "en") in shipped()
    async with database.transaction() as tx:
        await store.add(tx, [Letter(uuid4(), Category.ORDERS, "refund", "{}", user_id=user)])
    ids = await confirmations(database, [user])
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered", "failed")
    [reason] = [row["reason"] for row in await rows(database, "SELECT reason FROM messages WHERE state = 'failed'")]
    assert reason.startswith("template refund/email/en: ")
    assert len(sidecar.sent) == 1


async def test_an_error_nobody_foresaw_is_tried_again_later_and_the_next_mail_goes_out(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar(errors=[ZeroDivisionError("with what the mail said")])
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered", "retrying")
    found = await rows(database, "SELECT state, reason, holder FROM messages ORDER BY state DESC")
    assert [(row["state"], row["holder"]) for row in found] == [("retrying", None), ("delivered", None)]
    assert found[0]["reason"] == "unexpected ZeroDivisionError"


async def test_an_error_nobody_foresaw_while_asking_for_a_contact_is_tried_again_later(database: Database) -> None:
    sidecar = FakeSidecar(users_error=ZeroDivisionError())
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [uuid4()]))
        await all_in(database, "retrying")


async def test_a_report_that_the_database_cannot_hold_stops_no_lane(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar(errors=[SidecarError("binding email: \x00 \ud800")])
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered", "retrying")
