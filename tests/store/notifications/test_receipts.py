from typing import Any

from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.notifications import receipts
from apps.notifications.receipts import Receipt
from tests.store.notifications.conftest import all_in, confirmations, customer, rows, running, states
from tests.store.notifications.fakes import FakeSidecar

LOST = SidecarError("binding email: context deadline exceeded")


async def say(database: Database, *told: dict[str, Any]) -> None:
    async with database.transaction() as tx:
        await receipts.note(tx, [Receipt.model_validate(one) for one in told])


async def test_a_receipt_settles_what_was_unknown_and_it_is_not_repeated(database: Database) -> None:
    [id_] = await confirmations(database, [await customer(database)])
    sidecar = FakeSidecar(errors=[LOST])
    async with running(database, sidecar) as process:
        process.intake.bring([id_])
        await all_in(database, "unknown")
        for _ in range(2):
            await say(database, {"message_id": f"<{id_}@sidecart.example>", "status": "delivered"})
        await process.room.sweep()
    assert await states(database) == ["delivered"]
    assert sidecar.sent == []
    assert [row["facts"] for row in await rows(database, "SELECT facts FROM messages")] == [1]


async def test_what_comes_back_is_undelivered_and_nothing_more_is_sent_there(database: Database) -> None:
    user = await customer(database)
    [id_] = await confirmations(database, [user])
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring([id_])
        await all_in(database, "delivered")
        for _ in range(2):
            await say(database, {"message_id": str(id_), "status": "bounced", "reason": "no such user"})
        assert await states(database) == ["failed"]
        ids = await confirmations(database, [user])
        process.intake.bring(ids)
        await all_in(database, "failed", "skipped")
    [row] = await rows(database, "SELECT reason, facts FROM messages WHERE state = 'failed'")
    assert row == {"reason": "came back: no such user", "facts": 2}
    assert len(sidecar.sent) == 1


async def test_who_complains_gets_no_more_marketing(database: Database) -> None:
    [id_] = await confirmations(database, [await customer(database)])
    await say(database, {"message_id": str(id_), "status": "complained"})
    assert [row["scope"] for row in await rows(database, "SELECT scope FROM suppressions")] == ["marketing"]


async def test_a_receipt_for_nothing_we_sent_changes_nothing(database: Database) -> None:
    await say(database, {"message_id": "01a2036f-27f2-7767-bdbf-419a840c9fb7", "status": "bounced"})
    assert await states(database) == []
