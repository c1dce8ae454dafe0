"""Guessing gets slower and never locks anybody out: not its owner's device, not a signed-in client, not for good."""

import asyncio
import time
from collections.abc import Callable

import pytest

from apps.users import devices
from apps.users.throttling import ACCOUNT, PAIR
from tests.store.users.conftest import Home, Tally, open_home
from tests.support.asgi import Reply

THIEF = "203.0.113.9"


async def guess(home: Home, times: int, **more: str) -> list[Reply]:
    return [await home.sign_in(password="wrong", **{"address": THIEF, **more}) for _ in range(times)]


async def wait(home: Home, seconds: int) -> None:
    """Let time pass, as the table sees it."""
    moved = "blocked_until = blocked_until - interval '1 s' * {0}, last_at = last_at - interval '1 s' * {0}"
    await home.change(f"UPDATE throttles SET {moved.format(seconds)}")  # noqa: S608  # our own number


async def test_one_who_mistypes_is_not_slowed_and_one_who_guesses_is(home: Home) -> None:
    await home.register()
    replies = await guess(home, PAIR.free + 2)
    assert [reply.status for reply in replies] == [401] * (PAIR.free + 1) + [429]
    assert replies[-1].headers["retry-after"] == "1"
    assert replies[-1].json()["type"] == "/problems/too-many-tries"
    assert (await home.sign_in(address=THIEF)).status == 429  # also with the right one: else it could be told


async def test_the_delay_doubles_up_to_a_quarter_of_an_hour_and_ends(home: Home) -> None:
    await home.register()
    await guess(home, PAIR.free)
    delays = []
    for _ in range(13):
        assert (await guess(home, 1))[0].status == 401
        delays.append(int((await guess(home, 1))[0].headers["retry-after"]))
        await wait(home, delays[-1])
    assert delays[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert max(delays) == PAIR.longest.total_seconds()
    assert (await home.sign_in(address=THIEF)).status == 201


async def test_failures_are_forgotten_in_time_and_by_a_success(home: Home) -> None:
    await home.register()
    await guess(home, PAIR.free)
    await wait(home, int(PAIR.forgets.total_seconds()) * 5)
    assert [reply.status for reply in await guess(home, 5)] == [401] * 5
    assert (await home.sign_in(address=THIEF)).status == 201
    assert [reply.status for reply in await guess(home, PAIR.free)] == [401] * PAIR.free


async def test_a_thousand_guesses_at_once_are_no_faster_than_in_a_row(home: Home) -> None:
    await home.register()
    home.means.passwords._room = 1000
    began = time.monotonic()
    replies = await asyncio.gather(*(home.sign_in(password="wrong", address=THIEF) for _ in range(100)))
    # after the free ones each second brings one at most, however many come at once
    most = PAIR.free + 1 + int(time.monotonic() - began)
    assert PAIR.free < [reply.status for reply in replies].count(401) <= most


async def test_the_owner_elsewhere_is_not_held_up(home: Home) -> None:
    await home.register()
    await guess(home, PAIR.free + 2)
    assert (await home.sign_in()).status == 201


async def test_many_addresses_together_are_slowed_but_a_known_device_and_a_session_are_not(home: Home) -> None:
    await home.register()
    mine = (await home.sign_in()).json()
    for number in range(ACCOUNT.free + 1):
        await guess(home, 1, address=f"203.0.113.{number}")
    assert (await guess(home, 1, address="198.51.100.1"))[0].status == 429
    assert (await home.sign_in(address="198.51.100.2")).status == 429
    assert (await home.sign_in(address="198.51.100.2", device_token=mine["device_token"])).status == 201
    assert (await home.refresh(mine["refresh_token"])).status == 200
    assert (await home.call("GET", "/users/me", token=mine["access_token"])).status == 200
    await wait(home, int(ACCOUNT.longest.total_seconds()))
    assert (await home.sign_in(address="198.51.100.2")).status == 201


async def test_a_device_is_known_to_its_owner_only_and_guesses_no_faster(home: Home) -> None:
    await home.register()
    await home.register("eve@example.org")
    eves = (await home.sign_in("eve@example.org")).json()["device_token"]
    statuses = [reply.status for reply in await guess(home, PAIR.free + 2, device_token=eves)]
    assert statuses[-1] == 429
    stolen = (await home.sign_in()).json()["device_token"]
    assert [reply.status for reply in await guess(home, PAIR.free + 2, device_token=stolen)][-1] == 429


@pytest.mark.parametrize("spoil", [lambda token: token[:-2], lambda _token: "x", lambda _token: "é"])
async def test_a_forged_device_is_nobodys(home: Home, spoil: Callable[[str], str]) -> None:
    await home.register()
    (user,) = await home.rows("SELECT id FROM users")
    key = home.means.sealer.derived("devices")
    good = (await home.sign_in()).json()["device_token"]
    assert devices.recognise(key, user.id, good)
    assert devices.recognise(key, user.id, spoil(good)) is None


async def test_an_old_device_is_forgotten(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    await home.register()
    (user,) = await home.rows("SELECT id FROM users")
    good = (await home.sign_in()).json()["device_token"]
    monkeypatch.setattr(devices, "_GOOD_FOR_S", -1)
    assert devices.recognise(home.means.sealer.derived("devices"), user.id, good) is None


async def test_an_unknown_account_is_slowed_alike(home: Home) -> None:
    replies = await guess(home, PAIR.free + 2, email="nobody@example.org")
    assert [reply.status for reply in replies] == [401] * (PAIR.free + 1) + [429]


async def test_two_replicas_count_together(database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    url = database_for("users")
    async with open_home(url, monkeypatch) as one, open_home(url, monkeypatch) as other:
        await one.register()
        replicas, tally = [one, other] * PAIR.free, Tally(PAIR.free)
        statuses = [(await guess(replica, 1))[0].status for replica in replicas]
        assert statuses.count(401) in tally
        # tokens of the one refresh at the other, with the same next token
        token = (await one.sign_in()).json()["refresh_token"]
        replies = await asyncio.gather(*(replica.refresh(token) for replica in replicas))
        assert len({reply.json()["refresh_token"] for reply in replies}) == 1


async def test_overload_counts_against_nobody(home: Home) -> None:
    await home.register()
    home.means.passwords._room = 0
    assert {reply.status for reply in await guess(home, PAIR.free + 5)} == {503}
    home.means.passwords._room = 10
    assert (await home.sign_in(address=THIEF)).status == 201
