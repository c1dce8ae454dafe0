from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from apps.chassis.database import Database
from apps.contracts.users import SecurityAlert, UserErased
from apps.notifications import contacts, letters, use_cases
from apps.notifications.domain import Category
from tests.store.notifications.conftest import (
    all_in,
    confirmations,
    contact,
    customer,
    execute,
    make_due,
    rows,
    running,
    states,
    until,
)
from tests.store.notifications.fakes import FakeSidecar
from tests.store.notifications.writing import GONE, sent_by, wants, write


async def test_each_way_that_somebody_opened_is_taken_once(database: Database) -> None:
    user = await customer(database, phone="+4930123456", locale="de")
    await wants(database, user, channels={"email": True, "sms": True, "push": True}, locale="fr")
    ids = await write(database, user)
    sidecar = FakeSidecar()
    assert await sent_by(database, sidecar, ids) == ["email", "push", "sms"]
    by_name = {name: (metadata, data) for name, metadata, data in sidecar.sent}
    text, body = by_name["sms"][1], by_name["push"][1]
    assert text.startswith("Sidecart : votre commande A-1")
    assert by_name["sms"][0]["toNumber"] == by_name["sms"][0]["X-To-Number"] == "+4930123456"
    assert by_name["push"][0]["X-To"] == by_name["push"][0]["device-token"] == body["topic"] == str(user)
    assert body["aps"]["alert"] == {"title": "Votre commande a expiré", "body": body["message"]}
    assert [row["provider"] for row in await rows(database, "SELECT provider FROM messages ORDER BY channel")] == [
        "email",
        "push",
        "sms",
    ]


async def test_without_a_number_there_is_no_text_message(database: Database) -> None:
    user = await customer(database)
    await wants(database, user, channels={"email": True, "sms": True})
    assert await sent_by(database, FakeSidecar(), await write(database, user)) == ["email"]


async def test_what_is_declined_is_kept_as_skipped_and_security_is_not_asked(database: Database) -> None:
    user = await customer(database)
    none = {"email": False, "sms": False, "push": False}
    await wants(database, user, channels=none, categories={"orders": none, "security": none, "marketing": none})
    ids = await write(database, user)
    alert = SecurityAlert(user_id=user, sequence=1, kind="password_changed", happened_at=datetime.now(UTC))
    async with database.transaction() as tx:
        await use_cases.queue(tx, [letters.alert(alert)], [alert])
    ids = [row["id"] for row in await rows(database, "SELECT id FROM messages")]
    sidecar = FakeSidecar()
    await sent_by(database, sidecar, ids, "delivered", "skipped")
    assert [metadata["priority"] for _, metadata, _ in sidecar.sent] == ["1"]
    [skipped] = await rows(database, "SELECT category, reason FROM messages WHERE state = 'skipped'")
    assert skipped == {"category": "orders", "reason": "the recipient's preferences decline this"}


def quiet_now(zone: str = "UTC") -> dict[str, Any]:
    now = datetime.now(UTC)
    begins, ends = now - timedelta(hours=1), now + timedelta(hours=1)
    return {"timezone": zone, "quiet_hours": {"from": f"{begins:%H:%M}", "to": f"{ends:%H:%M}"}}


async def test_in_quiet_hours_orders_wait_and_security_does_not(database: Database) -> None:
    user = await customer(database)
    await wants(database, user, **quiet_now())
    ids = await write(database, user)
    ids += await write(
        database,
        user,
        category=Category.SECURITY,
        template="account-notice",
        data='{"kind": "password_changed", "happened_at": "2026-05-01T12:00:00Z"}',
    )
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(ids)

        async def deferred() -> bool:
            found = await rows(database, "SELECT state, reason FROM messages ORDER BY category")
            return [(row["state"], row["reason"]) for row in found] == [("queued", "quiet hours"), ("delivered", None)]

        await until(deferred, "the order waits and the alarm is sent")
        [waits] = await rows(database, "SELECT due_at - now() AS rest, attempts FROM messages WHERE state = 'queued'")
        assert timedelta(minutes=55) < waits["rest"] < timedelta(minutes=65)
        assert waits["attempts"] == 0
        await wants(database, user)
        await make_due(database)
        await process.room.sweep()
        await all_in(database, "delivered")
    assert len(sidecar.sent) == 2


async def test_after_two_bounces_nothing_but_security_is_sent_there(database: Database) -> None:
    user = await customer(database, email="Gone@example.org")
    sidecar = FakeSidecar(errors=[GONE])
    assert await sent_by(database, sidecar, await confirmations(database, [user]), "failed") == []
    sidecar.errors = [GONE]
    await sent_by(database, sidecar, await write(database, user), "failed")
    await sent_by(database, sidecar, await write(database, user), "failed", "skipped")
    assert sorted(await states(database)) == ["failed", "failed", "skipped"]
    assert sidecar.sent == []


async def test_nobody_gets_more_than_a_few_marketing_messages_a_day(database: Database) -> None:
    user = await customer(database)
    ids: list[UUID] = []
    for _ in range(7):
        ids = await write(database, user, category=Category.MARKETING)
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        for id_ in ids:
            process.intake.bring([id_])

            async def over(of: UUID = id_) -> bool:
                found = await rows(database, "SELECT holder, attempts, reason, state FROM messages WHERE id = :i", i=of)
                return found[0]["state"] == "delivered" or found[0]["reason"] is not None

            await until(over, "it is sent or put off")
    assert len(sidecar.sent) == 5
    assert sorted(await states(database)) == ["delivered"] * 5 + ["queued"] * 2


async def test_who_asked_to_be_forgotten_is_and_stays_so(database: Database) -> None:
    user, other = await customer(database), await customer(database)
    await wants(database, user, **quiet_now())
    await confirmations(database, [user, other])
    await execute(database, "UPDATE messages SET expires_at = now() WHERE user_id = :user", user=user)
    erased = UserErased(user_id=user, sequence=9, erased_at=datetime.now(UTC))
    for _ in range(2):
        async with database.transaction() as tx:
            await use_cases.forget(tx, [erased])
    async with database.transaction() as tx:
        await contacts.keep(tx, [contact(user, 10)])
    for table in ("contacts", "preferences", "messages"):
        found = await rows(database, f"SELECT user_id FROM {table}")  # noqa: S608  # our own tables
        assert user not in [row["user_id"] for row in found], table
    assert len(await states(database)) == 1
    assert len(await rows(database, "SELECT 1 FROM shreds")) == 1


async def test_others_are_told_what_became_of_a_message_and_not_what_it_said(database: Database) -> None:
    ids = await confirmations(database, [await customer(database) for _ in range(2)])
    sidecar = FakeSidecar(errors=[GONE])
    await sent_by(database, sidecar, ids, "delivered", "failed")
    facts = await published(database)
    assert sorted(facts) == ["notification-delivered", "notification-failed"]
    assert facts["notification-failed"]["data"]["sequence"] == 1
    assert "example.org" not in str(facts["notification-delivered"])


async def published(database: Database) -> dict[str, Any]:

    found = [
        orjson.loads(database.codec.open(row["envelope"], f"outbox:{row['id']}"))
        for row in await rows(database, "SELECT id, envelope FROM outbox")
    ]
    return {fact["topic"]: fact for fact in found if fact["topic"].startswith("notification-")}
