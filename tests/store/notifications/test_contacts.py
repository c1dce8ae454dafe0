import asyncio
from itertools import permutations
from uuid import uuid4

from apps.chassis.database import Database
from apps.contracts.users import UserChanged
from apps.notifications import use_cases
from tests.store.notifications.conftest import contact, rows


async def keep(database: Database, batch: list[UserChanged]) -> None:
    async with database.transaction() as tx:
        await use_cases.keep_contacts(tx, batch)


async def test_the_newest_fact_holds_in_whatever_order_they_come(database: Database) -> None:
    for order in permutations((1, 2, 3)):
        user = uuid4()
        for sequence in order:
            await keep(database, [contact(user, sequence, email=f"{sequence}@example.org")])
        found = await rows(database, "SELECT email, sequence FROM contacts WHERE user_id = :user", user=user)
        assert found == [{"email": "3@example.org", "sequence": 3}]


async def test_several_facts_about_one_person_may_share_a_batch(database: Database) -> None:
    user = uuid4()
    await keep(database, [contact(user, sequence, name=str(sequence)) for sequence in (2, 5, 1)])
    assert [row["name"] for row in await rows(database, "SELECT name FROM contacts")] == ["5"]


async def test_batches_at_once_about_the_same_people_do_not_deadlock(database: Database) -> None:
    users = [uuid4() for _ in range(50)]
    batches = [[contact(user, sequence) for user in users[::step]] for sequence, step in enumerate((1, -1) * 6, 1)]
    await asyncio.gather(*(keep(database, batch) for batch in batches))
    assert [row["sequence"] for row in await rows(database, "SELECT sequence FROM contacts")] == [12] * 50
