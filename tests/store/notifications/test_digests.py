from uuid import UUID

from apps.chassis.database import Database
from apps.notifications import digests, preferences
from apps.notifications.catalogue import Catalogue
from apps.notifications.domain import Category
from apps.notifications.schemas import Preferences
from tests.store.notifications.conftest import all_in, confirmations, customer, execute, rows, running, states, until
from tests.store.notifications.fakes import FakeSidecar


async def reader(database: Database, digest: str | None = "daily", **changes: str) -> UUID:
    user = await customer(database, **changes)
    async with database.transaction() as tx:
        told = {"digest": digest, "locale": changes.get("locale", "en")}
        await preferences.put(tx, user, Preferences.model_validate(told))
    return user


async def held(database: Database, count: int) -> bool:
    [found] = await rows(database, "SELECT count(*) AS n FROM messages WHERE due_at = 'infinity' AND digest_at > now()")
    return bool(found["n"] == count)


async def gather(database: Database) -> int:
    await execute(database, "UPDATE messages SET digest_at = now() WHERE due_at = 'infinity'")
    async with database.transaction() as tx:
        return await digests.gather(tx, Catalogue())


async def test_news_of_a_day_is_told_in_one_mail_to_each_reader(database: Database) -> None:
    german, other, plain = await reader(database, locale="de"), await reader(database), await reader(database, None)
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [german, other, german, plain, other, german]))
        await until(lambda: held(database, 5), "what is to be told together waits")
        assert sidecar.recipients == [f"{plain}@example.org"]
        await process.room.sweep()
        assert await held(database, 5)
        assert await gather(database) == 2
        process.intake.bring(row["id"] for row in await rows(database, "SELECT id FROM messages"))
        await all_in(database, "delivered", "gathered")
    mails = {metadata["emailTo"].partition("@")[0]: (metadata, html) for _, metadata, html in sidecar.sent}
    assert len(sidecar.sent) == 3
    said, html = mails[str(german)]
    assert said["subject"] == "Neues zu Ihren Bestellungen: 3 Nachrichten"
    for number in ("A-0", "A-2", "A-5"):
        assert number in html
        assert number in said["textBody"]
    assert "A-1" in mails[str(other)][1]
    assert "A-0" not in mails[str(other)][1]
    assert sorted(await states(database)) == ["delivered"] * 3 + ["gathered"] * 5


async def test_what_waits_alone_goes_out_as_it_is(database: Database) -> None:
    user, sidecar = await reader(database), FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [user]))
        await until(lambda: held(database, 1), "it waits")
        assert await gather(database) == 1
        await process.room.sweep()
        await all_in(database, "delivered")
    [(_, metadata, _)] = sidecar.sent
    assert metadata["subject"] == "Order A-0 is confirmed"


async def test_two_who_gather_at_once_tell_it_once(database: Database) -> None:
    user, sidecar = await reader(database, "hourly"), FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [user] * 3))
        await until(lambda: held(database, 3), "they wait")
    await execute(database, "UPDATE messages SET digest_at = now() WHERE due_at = 'infinity'")
    async with database.transaction() as one, database.transaction() as two:
        await digests.gather(one, Catalogue())
        await digests.gather(two, Catalogue())
    found = await rows(database, "SELECT category, count(*) AS n FROM messages WHERE template = 'digest' GROUP BY 1")
    assert found == [{"category": Category.ORDERS, "n": 1}]
    assert sorted(await states(database)) == ["gathered"] * 3 + ["queued"]


async def test_what_cannot_be_told_in_short_goes_by_itself(database: Database) -> None:
    user, sidecar = await reader(database), FakeSidecar()
    async with running(database, sidecar) as process:
        process.intake.bring(await confirmations(database, [user] * 2))
        await until(lambda: held(database, 2), "they wait")
        await execute(
            database, "UPDATE messages SET template = 'gone' WHERE id = (SELECT min(id::text)::uuid FROM messages)"
        )
        assert await gather(database) == 1
        await process.room.sweep()
        await all_in(database, "delivered", "failed")
    assert sorted(await states(database)) == ["delivered", "failed"]


async def test_the_plan_finds_readers_by_the_hour(database: Database) -> None:
    async with database.transaction() as tx:
        plan = await tx.connection()
        await plan.exec_driver_sql("SET LOCAL enable_seqscan = off")
        found = await plan.exec_driver_sql(
            "EXPLAIN SELECT user_id FROM messages "
            "WHERE due_at = 'infinity' AND digest_at <= now() ORDER BY digest_at LIMIT 10"
        )
        assert "messages_digest" in "\n".join(str(row[0]) for row in found)
