"""However long a hash takes, others are served meanwhile, and whoever would wait too long is told to come again."""

import asyncio
from collections.abc import AsyncIterator
from threading import Event
from typing import Any

import pytest

from apps.users.passwords import OverloadedError, Passwords
from tests.store.users.conftest import PASSWORD, QUICK, Home

WORKERS = 2
# Two at work and two waiting behind each.
CAPACITY = 3 * WORKERS
LONG_S = 60


class Held:
    """A hasher whose verifications take until it is let go."""

    def __init__(self) -> None:
        self.free = Event()

    def verify(self, encoded: str, password: str) -> bool:
        assert self.free.wait(LONG_S), "nobody let go"
        return QUICK.verify(encoded, password)

    def __getattr__(self, name: str) -> Any:
        return getattr(QUICK, name)


def email(client: int) -> str:
    return f"client-{client}@example.org"


@pytest.fixture
async def held(home: Home) -> AsyncIterator[Held]:
    """The service with people who have passwords, and a pool of few threads before them."""
    for client in range(CAPACITY + 1):
        assert (await home.register(email(client))).status == 202
    hasher, quick = Held(), home.means.passwords
    few = Passwords(WORKERS, hasher)  # type: ignore[arg-type]
    object.__setattr__(home.means, "passwords", few)
    yield hasher
    hasher.free.set()
    few.close()
    object.__setattr__(home.means, "passwords", quick)


async def full(home: Home) -> None:
    """Wait until nobody else may wait."""
    async with asyncio.timeout(LONG_S):
        while True:
            try:
                home.means.passwords.expect_room()
            except OverloadedError:
                return
            await asyncio.sleep(0.01)


async def test_while_the_pool_is_full_others_are_served_and_one_more_is_told_to_come_again(
    home: Home, held: Held
) -> None:
    held.free.set()
    token = (await home.sign_in(email(CAPACITY), PASSWORD)).json()["access_token"]
    held.free.clear()
    waiting = [
        asyncio.create_task(home.sign_in(email(client), PASSWORD, address=f"192.0.2.{client}"))
        for client in range(CAPACITY)
    ]
    await full(home)
    assert (await home.call("GET", "/users/me", token=token)).status == 200
    refused = await home.sign_in(email(CAPACITY), PASSWORD)
    assert (refused.status, refused.headers.get("retry-after")) == (503, "1")
    assert [task.done() for task in waiting] == [False] * CAPACITY
    held.free.set()
    assert [(await task).status for task in waiting] == [201] * CAPACITY
    assert (await home.sign_in(email(CAPACITY), PASSWORD)).status == 201
