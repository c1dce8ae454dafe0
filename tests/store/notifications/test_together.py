"""A campaign's mails go to a component by the list; each of them is still a mail of its own."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.chassis.database import Database
from apps.chassis.sidecar import SidecarError
from apps.notifications import providers, store
from apps.notifications.domain import Category
from apps.notifications.letters import Letter
from tests.store.notifications.conftest import all_in, confirmations, customer, make_due, rows, running, states, until
from tests.store.notifications.fakes import FakeSidecar
from tests.store.notifications.writing import AWAY, GONE, LOST, sent_by

NEWS = '{"subject": "Spring is here", "text": "Everything new."}'
MANY = 25


async def news(database: Database, count: int = MANY, **told: Any) -> list[UUID]:
    """Queue mail that nobody waits for, to as many people; return its ids, oldest first."""
    readers = [await customer(database) for _ in range(count)]
    asked: dict[str, Any] = {"template": "announcement", "data": NEWS, **told}
    letters = [Letter(uuid4(), Category.MARKETING, user_id=reader, **asked) for reader in readers]
    async with database.transaction() as tx:
        added = await store.add(tx, letters)
    return sorted(added.values())


def ids_of(sidecar: FakeSidecar) -> list[UUID]:
    """Whose mails were taken, by the ids they bear."""
    return [UUID(metadata["messageId"][1:37]) for _, metadata, _ in sidecar.sent]


async def test_what_nobody_waits_for_goes_out_by_the_list_and_to_its_own_reader_each(database: Database) -> None:
    ids = await news(database)
    sidecar = FakeSidecar()
    async with running(database, sidecar, email_together=10) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered")
    assert sorted(ids_of(sidecar)) == ids
    assert max(sidecar.together) == 10
    readers = {row["id"]: row["user_id"] for row in await rows(database, "SELECT id, user_id FROM messages")}
    links = set()
    for (_, metadata, body), id_ in zip(sidecar.sent, ids_of(sidecar), strict=True):
        assert metadata["emailTo"] == f"{readers[id_]}@example.org"
        assert metadata["listUnsubscribe"] in body
        links.add(metadata["listUnsubscribe"])
    assert len(links) == MANY


async def test_what_somebody_waits_for_goes_alone_and_before_it(database: Database) -> None:
    ids = await news(database)
    orders = await confirmations(database, [await customer(database) for _ in range(5)])
    sidecar = FakeSidecar()
    async with running(database, sidecar, email_together=10) as process:
        process.intake.bring([*ids, *(id_ for id_ in orders if id_ not in ids)])
        await all_in(database, "delivered")
    assert sum(sidecar.together) == MANY
    assert [metadata["priority"] for _, metadata, _ in sidecar.sent[:5]] == ["3"] * 5


async def test_a_component_that_knows_no_lists_is_given_each_alone_until_another_is_in_its_place(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "_ALONE_FOR_S", 0.05)
    sidecar = FakeSidecar(lists=False)
    async with running(database, sidecar) as process:
        process.intake.bring(await news(database))
        await all_in(database, "delivered")
        assert (len(sidecar.sent), sidecar.together, sidecar.most_at_once) == (MANY, [], 1)
        sidecar.lists = True

        async def by_the_list() -> bool:
            process.intake.bring(await news(database, 3))
            await all_in(database, "delivered")
            return sidecar.together != []

        await until(by_the_list, "lists are tried again")
    assert len(ids_of(sidecar)) == len(set(ids_of(sidecar))) == len(await states(database))
    assert {row["attempts"] for row in await rows(database, "SELECT attempts FROM messages")} == {1}


async def test_what_becomes_of_one_is_nothing_to_its_neighbours(database: Database) -> None:
    ids = await news(database, 10)
    [odd] = await news(database, 1, data="{}")
    sidecar = FakeSidecar(errors=[GONE])
    await sent_by(database, sidecar, [*ids, odd], "delivered", "failed")
    failures = await rows(database, "SELECT id, reason, provider FROM messages WHERE state = 'failed' ORDER BY id")
    assert [(row["id"], row["provider"]) for row in failures] == [(ids[0], "email"), (odd, None)]
    assert "550 5.1.1" in failures[0]["reason"]
    assert "subject" in failures[1]["reason"]
    assert sorted(ids_of(sidecar)) == ids[1:]


async def test_one_that_the_component_could_not_send_is_taken_to_the_other_provider(database: Database) -> None:
    ids = await news(database, 10)
    sidecar = FakeSidecar(errors=[AWAY])
    sidecar.components.add("email-fallback")
    names = await sent_by(database, sidecar, ids)
    assert sidecar.together == [10]
    assert names.count("email-fallback") == 1
    assert sorted(ids_of(sidecar)) == ids


async def test_where_the_answer_to_all_was_lost_each_is_unknown_and_then_asked_for_alone(database: Database) -> None:
    ids = await news(database, 10)
    sidecar = FakeSidecar(list_errors=[LOST])
    sidecar.components.add("email-fallback")
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "unknown")
        assert sidecar.tried == []
        await make_due(database)
        await process.room.sweep()
        await all_in(database, "delivered")
    assert sorted(ids_of(sidecar)) == ids
    assert {metadata["maybeTaken"] for _, metadata, _ in sidecar.sent} == {"true"}
    assert sidecar.together == []


async def test_where_the_component_fails_as_a_whole_each_is_tried_as_if_there_were_no_lists(
    database: Database,
) -> None:
    ids = await news(database, 10)
    sidecar = FakeSidecar(list_errors=[AWAY])
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered")
    assert (sidecar.together, sidecar.tried, sorted(ids_of(sidecar))) == ([], ["email"] * 10, ids)
    # no attempt was spent on finding that out
    assert {row["attempts"] for row in await rows(database, "SELECT attempts FROM messages")} == {1}


async def test_what_a_slow_component_has_not_begun_is_given_to_it_again(database: Database) -> None:
    ids = await news(database)
    sidecar = FakeSidecar(begins=4)
    async with running(database, sidecar, email_together=20) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered")
    assert sorted(ids_of(sidecar)) == ids
    assert len(sidecar.together) > 4


async def test_after_a_list_of_which_nothing_was_taken_each_goes_alone(database: Database) -> None:
    ids = await news(database, 10)
    later = SidecarError("binding email: gomail: could not send email 1: 451 4.3.0 later")
    sidecar = FakeSidecar(errors=[later] * 10)
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "retrying")
        process.intake.bring(await news(database, 5))
        await all_in(database, "retrying", "delivered")
    # so that the policies of the component see a server in trouble as they see it by other mails
    assert sidecar.together == [10]


async def test_a_list_is_as_long_as_a_rate_allows_in_a_moment(database: Database) -> None:
    ids = await news(database, 10)
    sidecar = FakeSidecar()
    async with running(database, sidecar, email_per_second=40) as process:
        process.intake.bring(ids)
        await all_in(database, "delivered")
    assert max(sidecar.together) == 4


async def test_told_to_stop_it_finishes_the_list_in_hand_and_leaves_the_rest(database: Database) -> None:
    ids = await news(database)
    sidecar = FakeSidecar()
    sidecar.gate.clear()
    async with running(database, sidecar, email_together=10) as process:
        process.intake.bring(ids)

        async def begun() -> bool:
            return sidecar.most_at_once == 1

        await until(begun, "a list is under way")
        sidecar.gate.set()
        await process.stop()
    assert len(sidecar.sent) == 10
    assert sorted(await states(database)) == ["delivered"] * 10 + ["sending"] * 15
    async with running(database, sidecar, port=2):
        await all_in(database, "delivered")
    assert sorted(ids_of(sidecar)) == ids


async def test_an_answer_that_does_not_tell_of_each_is_as_good_as_lost(database: Database) -> None:
    ids = await news(database, 5)
    sidecar = FakeSidecar(odd_answer=b'["", ""]')
    async with running(database, sidecar) as process:
        process.intake.bring(ids)
        await all_in(database, "unknown")
