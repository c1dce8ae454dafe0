"""What follows from each answer of a provider: a refusal, an absence, none at all."""

import pytest

from apps.chassis.database import Database
from apps.notifications import store
from apps.notifications.sources import Channel
from tests.store.notifications.conftest import (
    LEASE,
    all_in,
    confirmations,
    customer,
    make_due,
    rows,
    running,
    states,
    until,
)
from tests.store.notifications.fakes import FakeSidecar
from tests.store.notifications.writing import AWAY, GONE, LOST, sent_by, write


async def test_the_other_provider_takes_over_while_the_first_is_down_and_is_left_when_it_is_back(
    database: Database,
) -> None:
    users = [await customer(database) for _ in range(4)]
    ids = await confirmations(database, users)
    sidecar = FakeSidecar(down={"email": AWAY})
    sidecar.components.add("email-fallback")
    async with running(database, sidecar) as process:
        process.intake.bring(ids[:2])

        async def two() -> bool:
            return (await states(database)).count("delivered") == 2

        await until(two, "two are sent by the other provider")
        sidecar.down.clear()
        process.intake.bring(ids[2:])
        await all_in(database, "delivered")
    assert [name for name, _, _ in sidecar.sent] == ["email-fallback"] * 2 + ["email"] * 2


async def test_a_refusal_of_the_recipient_is_not_taken_to_another_provider(database: Database) -> None:
    ids = await confirmations(database, [await customer(database)])
    sidecar = FakeSidecar(errors=[GONE])
    sidecar.components.add("email-fallback")
    await sent_by(database, sidecar, ids, "failed")
    assert sidecar.tried == ["email"]


async def test_a_lost_answer_is_taken_to_no_other_provider_and_repeated_under_the_same_id(database: Database) -> None:
    ids = await confirmations(database, [await customer(database)])
    sidecar = FakeSidecar(errors=[LOST])
    sidecar.components.add("email-fallback")
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "unknown")
        assert sidecar.tried == ["email"]
        await make_due(database)
        await process.room.sweep()
        await all_in(database, "delivered")
    [(_, metadata, _)] = sidecar.sent
    assert metadata["messageId"] == f"<{ids[0]}@sidecart.example>"


async def test_a_text_message_whose_answer_was_lost_is_never_sent_again_by_itself(database: Database) -> None:
    user = await customer(database, phone="+4930123456")
    sidecar = FakeSidecar(errors=[LOST])
    async with running(database, sidecar) as process:
        process.intake.bring(await write(database, user, channels=(Channel.SMS,)))
        await all_in(database, "unknown")
        await make_due(database)
        await process.room.sweep()
        await all_in(database, "failed")
    assert sidecar.tried == ["sms"]
    [row] = await rows(database, "SELECT reason FROM messages")
    assert row["reason"].startswith("outcome unknown")


async def test_a_text_message_is_tried_again_at_once_and_then_later(database: Database) -> None:
    user = await customer(database, phone="+4930123456")
    sidecar = FakeSidecar(errors=[AWAY])
    assert await sent_by(database, sidecar, await write(database, user, channels=(Channel.SMS,))) == ["sms"]
    assert sidecar.tried == ["sms", "sms"]
    sidecar.errors = [AWAY, AWAY]
    await sent_by(database, sidecar, await write(database, user, channels=(Channel.SMS,)), "delivered", "retrying")
    assert sidecar.tried == ["sms"] * 4


@pytest.mark.parametrize(("channel", "tries"), [(Channel.EMAIL, 1), (Channel.SMS, 0)])
async def test_what_a_process_had_begun_when_it_died_is_resolved_by_the_rule_of_its_channel(
    database: Database, channel: Channel, tries: int
) -> None:
    user = await customer(database, phone="+4930123456")
    [begun] = await write(database, user, channels=(channel,))
    idle = next(id_ for id_ in await write(database, user, channels=(channel,)) if id_ != begun)
    async with database.transaction() as tx:
        assert len(await store.claim(tx, [begun, idle], "a process that died", LEASE)) == 2
        assert await store.start(tx, [begun], "a process that died") == {begun}
    await make_due(database)
    sidecar = FakeSidecar()
    async with running(database, sidecar):
        await all_in(database, "delivered", "failed")
    sent = [metadata.get("X-Message-Id") or metadata["messageId"][1:37] for _, metadata, _ in sidecar.sent]
    # what was not begun cannot have been sent: it is, once, whatever its channel
    assert sent.count(str(idle)) == 1
    assert sent.count(str(begun)) == tries
