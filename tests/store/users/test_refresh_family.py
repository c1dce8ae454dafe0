"""One session's refresh tokens: whatever clients and thieves do at once, there is one newest and one before it."""

import asyncio
import os
from datetime import timedelta

import pytest

from tests.store.users.conftest import Home
from tests.support.asgi import Reply

AT_ONCE = 50
ROUNDS = int(os.environ.get("SIDECART_REFRESH_ROUNDS", "4"))


async def newest(home: Home) -> tuple[int, int]:
    (row,) = await home.rows("SELECT count(*) AS families, max(generation) AS generation FROM sessions")
    return row.families, row.generation


async def race(home: Home, rounds: int) -> None:
    """Refresh one token fifty times at once, again and again: each time exactly one new member comes of it."""
    home.set(refresh_grace=timedelta(minutes=5))  # the last of fifty may come late on a busy machine
    await home.register()
    token = (await home.sign_in()).json()["refresh_token"]
    for number in range(rounds):
        replies = await asyncio.gather(*(home.refresh(token) for _ in range(AT_ONCE)))
        assert {reply.status for reply in replies} == {200}, number
        (token,) = {reply.json()["refresh_token"] for reply in replies}
        assert await newest(home) == (1, number + 2)
    assert [topic for topic, _ in await home.published()].count("security-alert") == 0


async def test_fifty_refreshes_at_once_make_one_new_member(home: Home) -> None:
    await race(home, ROUNDS)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_fifty_refreshes_at_once_make_one_new_member_each_of_two_hundred_times(home: Home) -> None:
    await race(home, 200)


async def test_fifty_at_once_without_grace_make_one_and_then_nobody_is_left(home: Home) -> None:
    home.set(refresh_grace=timedelta())
    await home.register()
    token = (await home.sign_in()).json()["refresh_token"]
    replies = await asyncio.gather(*(home.refresh(token) for _ in range(AT_ONCE)))
    won = [reply for reply in replies if reply.status == 200]
    assert len(won) == 1
    assert (await home.refresh(won[0].json()["refresh_token"])).status == 401
    assert [data.get("kind") for _, data in await home.published()].count("refresh_token_reused") == 1


async def test_a_lost_answer_is_given_again_for_a_moment_and_only_to_the_one_before(home: Home) -> None:
    await home.register()
    first = (await home.sign_in()).json()["refresh_token"]
    second = (await home.refresh(first)).json()["refresh_token"]
    assert (await home.refresh(first)).json()["refresh_token"] == second
    assert (await home.refresh(second)).status == 200
    assert (await home.refresh(first)).status == 401  # two before
    assert await home.rows("SELECT 1 FROM sessions") == []


async def test_the_grace_ends(home: Home) -> None:
    await home.register()
    first = (await home.sign_in()).json()["refresh_token"]
    second = (await home.refresh(first)).json()["refresh_token"]
    assert home.means.settings.refresh_grace == timedelta(seconds=10)
    await home.change("UPDATE sessions SET refreshed_at = refreshed_at - interval '11 s'")
    assert (await home.refresh(first)).status == 401
    assert (await home.refresh(second)).status == 401


@pytest.mark.parametrize("grace", [-1, 31])
def test_a_grace_beyond_half_a_minute_is_no_setting(home: Home, grace: int) -> None:
    fields = {**home.means.settings.model_dump(), "APP_PORT": 1, "APP_API_TOKEN": "a" * 16}
    with pytest.raises(ValueError, match="refresh_grace"):
        type(home.means.settings).model_validate({**fields, "refresh_grace": timedelta(seconds=grace)})


async def test_a_session_ends_some_day_however_often_it_is_refreshed(home: Home) -> None:
    home.set(session_lifetime=timedelta(hours=1))
    await home.register()
    token = (await home.sign_in()).json()["refresh_token"]
    token = (await home.refresh(token)).json()["refresh_token"]
    (row,) = await home.rows("SELECT expires_at - created_at AS life FROM sessions")
    assert row.life <= timedelta(hours=1)
    await home.change("UPDATE sessions SET created_at = created_at - interval '59 minutes'")
    assert (await home.refresh(token)).status == 200
    (row,) = await home.rows("SELECT expires_at - now() AS life FROM sessions")
    assert row.life <= timedelta(minutes=1)


async def test_a_locked_account_refreshes_nothing(home: Home) -> None:
    await home.register()
    token = (await home.sign_in()).json()["refresh_token"]
    (user,) = await home.rows("SELECT id FROM users")
    reply: Reply = await home.call("POST", f"/users/{user.id}/lock", token=home.operator("admin"))
    assert reply.status == 200
    assert (await home.refresh(token)).status == 401
