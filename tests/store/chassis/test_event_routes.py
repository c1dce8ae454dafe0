from typing import Any

from fastapi import FastAPI
from sqlalchemy import text

from apps.chassis.database import Database
from tests.store.chassis.conftest import count
from tests.store.chassis.things import Chance, slug
from tests.support.asgi import call


def bulk(*names: str, broken: bool = False) -> dict[str, Any]:
    data = [{} if broken else {"name": name, "sequence": 1} for name in names]
    entries = [{"entryId": str(at), "event": {"id": names[at], "data": item}} for at, item in enumerate(data)]
    return {"id": "1", "entries": entries, "topic": "happened"}


async def test_a_batch_is_answered_entry_by_entry_and_all_alike(app: FastAPI) -> None:
    reply = await call(app, "POST", "/events/happened", bulk("a", "b"))
    assert reply.json() == {"statuses": [{"entryId": "0", "status": "SUCCESS"}, {"entryId": "1", "status": "SUCCESS"}]}


async def test_an_outage_asks_for_the_whole_batch_again(app: FastAPI, database: Database, chance: Chance) -> None:
    chance.outage = True
    reply = await call(app, "POST", "/events/happened", bulk("a", "b"))
    assert [entry["status"] for entry in reply.json()["statuses"]] == ["RETRY", "RETRY"]
    assert await count(database, "inbox") == 0


async def test_a_single_event_is_answered_as_one(app: FastAPI, database: Database) -> None:
    reply = await call(app, "POST", "/events/happened", {"id": "1", "data": {"name": "a", "sequence": 1}})
    assert reply.json() == {"status": "SUCCESS"}
    assert await count(database, "effects") == 1


async def test_an_event_route_never_answers_404(app: FastAPI, database: Database) -> None:
    for path, body in (("/events/unheard-of", bulk("a")), ("/events/happened", b"no json at all")):
        assert (await call(app, "POST", path, body)).status == 200
    assert await count(database, "dead_letters") == 2


async def test_nobody_posts_events_through_the_sidecar(app: FastAPI, database: Database) -> None:
    reply = await call(app, "POST", "/events/happened", bulk("a"), {"dapr-caller-app-id": "edge"})
    assert slug(reply) == (403, "caller-not-allowed")
    assert await count(database, "effects") == 0


async def test_a_dead_letter_is_listed_shown_redelivered_and_gone(
    app: FastAPI, chance: Chance, database: Database
) -> None:
    support = {"authorization": "Bearer support"}
    chance.unlucky = True
    await call(app, "POST", "/events/happened", bulk("a"))
    assert slug(await call(app, "GET", "/dead-letters", headers={"authorization": "Bearer customer"})) == (
        403,
        "role-required",
    )
    [letter] = (await call(app, "GET", "/dead-letters", headers=support)).json()["items"]
    assert (letter["topic"], letter["reason"], letter["event"]["data"]["name"]) == ("happened", "UnluckyError", "a")
    path = f"/dead-letters/{letter['id']}"
    assert (await call(app, "GET", path, headers=support)).json() == letter
    assert slug(await call(app, "POST", f"{path}/redeliver", headers=support)) == (409, "still-failing")
    chance.unlucky = False
    assert (await call(app, "POST", f"{path}/redeliver", headers=support)).status == 204
    assert await count(database, "effects") == 1
    assert slug(await call(app, "GET", path, headers=support)) == (404, "dead-letter-not-found")


async def test_a_dead_letter_is_discarded(app: FastAPI, database: Database) -> None:
    support = {"authorization": "Bearer support"}
    await call(app, "POST", "/events/happened", bulk("a", broken=True))
    [letter] = (await call(app, "GET", "/dead-letters", headers=support)).json()["items"]
    assert (await call(app, "DELETE", f"/dead-letters/{letter['id']}", headers=support)).status == 204
    assert await count(database, "dead_letters") == 0


async def test_a_dead_letter_that_cannot_be_opened_is_shown_as_such_beside_the_others(
    app: FastAPI, database: Database
) -> None:
    support = {"authorization": "Bearer support"}
    await call(app, "POST", "/events/happened", bulk("a", "b", broken=True))
    async with database.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE dead_letters SET envelope = 'altered' WHERE id = (SELECT min(id::text)::uuid FROM dead_letters)"
            )
        )
    reply = await call(app, "GET", "/dead-letters", headers=support)
    good, bad = reply.json()["items"]
    assert (good["event_id"], bad["event_id"], bad["topic"], bad["event"]) == ("b", None, None, None)
    assert bad["reason"].startswith("cannot be opened")
    path = f"/dead-letters/{bad['id']}"
    assert (await call(app, "GET", path, headers=support)).json() == bad
    refused = await call(app, "POST", f"{path}/redeliver", headers=support)
    assert slug(refused) == (409, "still-failing")
    assert "cannot be opened" in refused.json()["detail"]
    assert (await call(app, "DELETE", path, headers=support)).status == 204
