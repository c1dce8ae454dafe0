"""Nobody learns whether an address has an account: not from what is answered, and not from how long it takes."""

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from argon2 import PasswordHasher

from apps.users.passwords import HASHER, Passwords
from tests.store.users.conftest import PASSWORD, Home
from tests.support.asgi import Reply

PAIRS = 8
TIMES = 10
KNOWN = "ada@example.org"
Ask = Callable[[Home, str], Awaitable[Reply]]


async def sign_in(home: Home, email: str) -> Reply:
    await home.change("DELETE FROM throttles")
    return await home.sign_in(email, "wrong password")


async def register(home: Home, email: str) -> Reply:
    await home.change("DELETE FROM throttles")
    return await home.register(email)


async def reset(home: Home, email: str) -> Reply:
    await home.change("DELETE FROM throttles")
    return await home.call("POST", "/password-resets", {"email": email})


async def seconds(home: Home, ask: Ask, email: str) -> float:
    started = time.perf_counter()
    await ask(home, email)
    return time.perf_counter() - started


async def prepare(home: Home, hasher: PasswordHasher = HASHER) -> float:
    """Make the service as costly as in earnest; return how long hashing takes here and now."""
    object.__setattr__(home.means, "passwords", Passwords(2, hasher))
    await home.register(KNOWN, PASSWORD)
    began = time.perf_counter()
    for _ in range(3):
        await home.means.passwords.hash(PASSWORD)
    grain = (time.perf_counter() - began) / 3
    # a step that everything fits into, also where the machine is slow
    home.set(even_answers=timedelta(seconds=max(0.05, 3 * grain)))
    return grain


async def direction(home: Home, ask: Ask, grain: float) -> int:
    """Return 1 where the known address takes longer, -1 the unknown, 0 where it cannot be told.

    One pair may say otherwise: a busy machine stalls one of sixteen requests easily.
    """
    # taken in turns, so that whatever else the machine does meets both alike
    differences = [
        await seconds(home, ask, KNOWN) - await seconds(home, ask, f"{uuid4().hex}@example.org") for _ in range(PAIRS)
    ]
    longer = sum(difference > 0 for difference in differences)
    if abs(statistics.median(differences)) < grain / 4 or min(longer, PAIRS - longer) > 1:
        return 0
    return 1 if longer > PAIRS / 2 else -1


async def told_apart(home: Home, ask: Ask, grain: float) -> bool:
    """Tell whether the times tell: each of three series, and all the same.

    Signs by chance do so once in eleven thousand, and then by a quarter of a hash each time, which they do not.
    """
    first = await direction(home, ask, grain)
    return bool(first) and all([await direction(home, ask, grain) == first for _ in range(2)])


@pytest.mark.parametrize("ask", [sign_in, register, reset])
async def test_the_time_tells_nothing(home: Home, ask: Ask) -> None:
    assert not await told_apart(home, ask, await prepare(home))


async def test_the_measure_would_notice_a_verification_left_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Passwords.verify

    async def careless(self: Passwords, encoded: str | None, password: str) -> bool:
        return encoded is not None and await real(self, encoded, password)

    monkeypatch.setattr(Passwords, "verify", careless)
    slow = PasswordHasher(time_cost=8, memory_cost=19_456, parallelism=1)
    grain = await prepare(home, slow)
    # a busy machine may hide the difference for a while; chance alone shows none in ten times
    for _ in range(TIMES):
        if await told_apart(home, sign_in, grain):
            return
    pytest.fail(f"{TIMES} measurements noticed nothing of a verification that is left out")
