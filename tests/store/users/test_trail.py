"""The audit trail: by month, added to only, read by administrators, and forgotten in time."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import ProgrammingError
from uuid_utils.compat import uuid7

from apps.chassis import migrate
from apps.users.audit import Months
from tests.store.users.conftest import Home
from tests.support.postgres import Cluster

_MONTHS = (
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_events'::regclass ORDER BY 1"
)


async def months(home: Home) -> list[str]:
    return [row.name for row in await home.rows(_MONTHS)]


async def test_months_to_come_are_there_and_each_follows_the_one_before(home: Home) -> None:
    there = await months(home)
    assert f"audit_events_{datetime.now(UTC) + timedelta(days=1):%Y_%m}" in there
    assert (await home.rows("SELECT ensure_audit_months(5) AS made"))[0].made >= 1
    assert (await home.rows("SELECT ensure_audit_months(5) AS made"))[0].made == 0
    assert (await months(home))[: len(there)] == there


async def test_a_month_goes_whole_when_it_is_old_enough_and_not_before(home: Home, postgres_cluster: Cluster) -> None:
    await home.register()
    there = await months(home)
    database = home.database.engine.url.database
    assert database
    with postgres_cluster.connect("postgres", database) as owner:
        owner.execute("ALTER TABLE audit_events DETACH PARTITION " + there[-1])
        owner.execute(f"ALTER TABLE {there[-1]} RENAME TO audit_events_2020_01")
        bounds = "FROM ('ffffffff-0000-0000-0000-000000000000') TO (MAXVALUE)"
        owner.execute(f"ALTER TABLE audit_events ATTACH PARTITION audit_events_2020_01 FOR VALUES {bounds}")
    assert "audit_events_2020_01" in await months(home)
    await Months().see_to(home.database, home.means.settings.audit_retention)
    assert "audit_events_2020_01" not in await months(home)
    await Months().see_to(home.database, timedelta())
    assert await home.trail() == [("registered", "done")], "no month younger than a quarter goes"


async def test_the_clock_sees_to_it_once_a_day(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = home.means.months
    await kept.see_to(home.database, timedelta(days=400))
    monkeypatch.setattr(home.database, "transaction", None)
    await kept.see_to(home.database, timedelta(days=400))


@pytest.mark.parametrize(
    "rewriting",
    [
        "DELETE FROM audit_events",
        "UPDATE audit_events SET actor = 'anyone'",
        "UPDATE audit_events SET outcome = 'done', address = NULL, agent = NULL, detail = '{}'",
        "UPDATE audit_events SET address = '192.0.2.99'",
        "TRUNCATE audit_events",
        "DROP TABLE audit_events",
    ],
)
async def test_what_happened_is_not_rewritten_by_one_who_took_the_service_over(home: Home, rewriting: str) -> None:
    await home.register()
    await home.sign_in(password="wrong")
    with pytest.raises(ProgrammingError):
        await home.change(rewriting)
    assert await home.trail() == [("registered", "done"), ("signed_in", "refused")]


async def test_the_release_before_leaves_what_it_wrote_and_goes_on_writing(
    home: Home, postgres_cluster: Cluster
) -> None:
    name = f"{home.database.engine.url.database}_before"
    with postgres_cluster.connect("postgres", "postgres") as server:
        server.execute(f"CREATE DATABASE {name} OWNER users_owner")
    url = postgres_cluster.url("users_owner", name)
    migrate.upgrade("users", url, "0004")
    insert = "INSERT INTO audit_events (id, actor, action, outcome) VALUES (%s, 'anyone', 'signed_in', 'done')"
    with postgres_cluster.connect("users_owner", name) as owner:
        before, after = uuid7(), uuid7()
        owner.execute(insert, [before])
        migrate.upgrade("users", url)
        owner.execute(insert, [after])
        assert [row[0] for row in owner.execute("SELECT id FROM audit_events ORDER BY id")] == [before, after]
        assert owner.execute("SELECT count(*) FROM pg_constraint WHERE conname LIKE '%so_far%'").fetchone() == (1,)


async def test_the_whole_trail_is_read_by_administrators_page_by_page_and_by_action(home: Home) -> None:
    admin = home.operator("admin")
    await home.call("POST", "/signing-keys", {}, admin)
    await home.sign_in("nobody@example.org", "wrong")
    await home.register()
    first = (await home.call("GET", "/audit?limit=2", token=admin)).json()
    rest = (await home.call("GET", f"/audit?limit=2&cursor={first['next']}", token=admin)).json()
    found = [(each["action"], each["outcome"]) for page in (first, rest) for each in page["items"]]
    assert found == [("registered", "done"), ("signed_in", "refused"), ("signing_key_rotated", "done")]
    keys = (await home.call("GET", "/audit?action=signing_key_rotated", token=admin)).json()["items"]
    assert [(each["action"], each["user_id"]) for each in keys] == [("signing_key_rotated", None)]
    for role in ("customer", "staff", "support"):
        assert (await home.call("GET", "/audit", token=home.operator(role))).status == 403
