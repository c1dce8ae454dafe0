import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.chassis.database import Database
from apps.notifications import campaigns, preferences, use_cases
from apps.notifications.campaigns import CampaignNotFoundError, CampaignStateError, CampaignView, StartCampaign
from apps.notifications.catalogue import Catalogue
from apps.notifications.links import Links, Reader
from apps.notifications.use_cases import TemplateMismatchError
from tests.store.notifications.conftest import Process, confirmations, contact, customer, rows, running, states, until
from tests.store.notifications.fakes import FakeSidecar

STAFF = uuid4()
NEWS = {"subject": "Spring is here", "text": "Everything new."}


async def create(database: Database, **changes: Any) -> UUID:
    asked = {"template": "announcement", "audience": {}, "data": NEWS, **changes}
    async with database.transaction() as tx:
        return await campaigns.create(tx, Catalogue(), StartCampaign.model_validate(asked), STAFF)


async def look(database: Database, id_: UUID) -> CampaignView:
    async with database.transaction() as tx:
        return await campaigns.get(tx, id_)


async def move(database: Database, id_: UUID, step: str) -> CampaignView:
    async with database.transaction() as tx:
        return await campaigns.move(tx, id_, step)


async def over(database: Database, id_: UUID, *processes: Process, status: str = "done") -> CampaignView:
    async def met() -> bool:
        for process in processes:
            process.office.feeder.called.set()
            await process.room.sweep()
        return (await look(database, id_)).status == status

    await until(met, f"the campaign is {status}")
    return await look(database, id_)


async def people(database: Database, count: int, **changes: Any) -> list[UUID]:
    told = [contact(uuid4(), **changes) for _ in range(count)]
    async with database.transaction() as tx:
        await use_cases.keep_contacts(tx, told)
    return [one.user_id for one in told]


async def test_everybody_of_an_audience_gets_it_once_with_a_link_of_their_own(database: Database) -> None:
    users = await people(database, 25)
    sidecar = FakeSidecar()
    id_ = await create(database)
    assert (await look(database, id_)).total == 25
    async with running(database, sidecar, campaign_batch=10) as process:
        seen = await over(database, id_, process)
    assert (seen.status, seen.sent, seen.failed, seen.skipped) == ("done", 25, 0, 0)
    assert sorted(sidecar.recipients) == sorted(f"{user}@example.org" for user in users)
    links = {metadata["listUnsubscribe"] for _, metadata, _ in sidecar.sent}
    assert len(links) == 25
    for _, metadata, body in sidecar.sent:
        assert metadata["listUnsubscribe"] in body
        assert metadata["listUnsubscribe"] in metadata["textBody"]


async def test_three_replicas_share_a_campaign_and_send_nothing_twice(database: Database) -> None:
    await people(database, 90)
    sidecars = [FakeSidecar() for _ in range(3)]
    id_ = await create(database)
    async with (
        running(database, sidecars[0], port=1, campaign_batch=20, capacity=20) as one,
        running(database, sidecars[1], port=2, campaign_batch=20, capacity=20) as two,
        running(database, sidecars[2], port=3, campaign_batch=20, capacity=20) as three,
    ):
        seen = await over(database, id_, one, two, three)
    everybody = [address for sidecar in sidecars for address in sidecar.recipients]
    assert seen.sent == len(everybody) == len(set(everybody)) == 90
    assert all(sidecar.sent for sidecar in sidecars)


async def test_a_filter_is_a_language_and_an_upload_is_people_or_addresses(database: Database) -> None:
    german = [*await people(database, 2, locale="de"), *await people(database, 1, locale="de-AT")]
    english = await people(database, 2, locale="en")
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        by_filter = await create(database, audience={"locale": "de"})
        await over(database, by_filter, process)
        assert sorted(sidecar.recipients) == sorted(f"{user}@example.org" for user in german)
        sidecar.sent.clear()
        named = {"user_ids": [str(english[0]), str(english[0])], "emails": ["guest@example.com"]}
        uploaded = await create(database, audience=named)
        seen = await over(database, uploaded, process)
    assert (seen.total, seen.sent) == (2, 2)
    assert sorted(sidecar.recipients) == sorted([f"{english[0]}@example.org", "guest@example.com"])


async def test_a_draft_waits_and_takes_more_people(database: Database) -> None:
    [user] = await people(database, 1)
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        id_ = await create(database, audience={"user_ids": [str(user)]}, start=False)
        async with database.transaction() as tx:
            more = campaigns.Audience.model_validate({"emails": ["guest@example.com"]})
            await campaigns.extend(tx, id_, more)
        process.office.feeder.called.set()
        await process.room.sweep()
        assert await states(database) == []
        assert (await move(database, id_, "start")).total == 2
        assert (await over(database, id_, process)).sent == 2
        with pytest.raises(CampaignStateError, match="done cannot pause"):
            await move(database, id_, "pause")


async def test_a_pause_holds_what_waits_and_a_resumption_sends_it_once(database: Database) -> None:
    await people(database, 40)
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar, capacity=20, campaign_batch=10) as process:
        id_ = await create(database)

        async def begun() -> bool:
            process.office.feeder.called.set()
            await process.room.sweep()
            return sum(sidecar.running.values()) > 0

        await until(begun, "the first is being sent")
        await move(database, id_, "pause")
        sidecar.gate.set()

        async def idle() -> bool:
            await process.room.sweep()
            return not process.room._leased_until

        await until(idle, "what was in hand is sent")
        held = len(sidecar.sent)
        assert 0 < held < 20
        await process.room.sweep()
        await process.office.feeder.step()
        assert len(sidecar.sent) == held
        await move(database, id_, "resume")
        assert (await over(database, id_, process)).sent == 40
    assert len(set(sidecar.recipients)) == len(sidecar.sent) == 40


async def test_what_was_not_sent_when_a_campaign_is_cancelled_never_is(database: Database) -> None:
    await people(database, 30)
    sidecar = FakeSidecar()
    id_ = await create(database, start=False)
    async with running(database, sidecar, campaign_batch=10):
        cancelled = await move(database, id_, "cancel")
    assert (cancelled.status, cancelled.sent) == ("cancelled", 0)
    assert sidecar.sent == []
    with pytest.raises(CampaignStateError):
        await move(database, id_, "resume")


async def test_who_declined_is_skipped_and_counted(database: Database) -> None:
    users = await people(database, 3)
    async with database.transaction() as tx:
        await preferences.decline_marketing(tx, users[0])
    links = Links("a secret", "http://x")
    guest = links.read(links.unsubscribe(Reader(address="Guest@example.com")).partition("token=")[2])
    async with database.transaction() as tx:
        await use_cases.unsubscribe(tx, guest)
    sidecar = FakeSidecar()
    async with running(database, sidecar) as process:
        seen = await over(database, await create(database), process)
        assert (seen.sent, seen.skipped) == (2, 1)
        seen = await over(database, await create(database, audience={"emails": ["guest@example.com"]}), process)
        assert (seen.sent, seen.skipped) == (0, 1)


async def test_an_order_overtakes_a_campaign_that_fills_its_share(database: Database) -> None:
    await people(database, 60)
    buyer = await customer(database)
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar, capacity=20) as process:
        id_ = await create(database)

        async def full() -> bool:
            process.office.feeder.called.set()
            await process.room.sweep()
            return process.room.room > 0 and process.room.room_for_marketing == 0

        await until(full, "marketing has its share of the room")
        assert process.room.room == 15
        ids = await confirmations(database, [buyer])
        order = [row["id"] for row in await rows(database, "SELECT id FROM messages WHERE category = 'orders'")]
        assert set(order) <= set(ids)
        process.intake.bring(order)

        async def claimed() -> bool:
            return order[0] in process.room._leased_until

        await until(claimed, "the order is claimed")
        sidecar.gate.set()
        await over(database, id_, process)
    place = [metadata["priority"] for _, metadata, _ in sidecar.sent].index("3")
    # one was in hand, and eight were begun: those go out by their urgency as well
    assert place <= 9


async def test_a_template_that_is_not_given_what_it_asks_for_is_refused_at_once(database: Database) -> None:
    with pytest.raises(TemplateMismatchError, match="text"):
        await create(database, data={"subject": "Spring"})
    with pytest.raises(CampaignNotFoundError):
        await look(database, uuid4())


async def test_the_feeder_is_never_far_ahead_and_its_memory_is_that_of_a_batch(database: Database) -> None:
    await people(database, 300)
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar, capacity=8, campaign_batch=20, campaign_ahead=50) as process:
        await create(database)
        for _ in range(20):
            process.office.feeder.called.set()
            await asyncio.sleep(0.01)
        assert len(await states(database)) <= 75
        sidecar.gate.set()
