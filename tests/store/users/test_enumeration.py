"""Nobody learns whether an address has an account: not from what is answered, and not from how long it takes."""

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from apps.users.passwords import Passwords
from tests.store.users.conftest import PASSWORD, Home
from tests.support.asgi import Reply

SAMPLES = 12
KNOWN = "ada@example.org"


async def sign_in(home: Home, email: str) -> Reply:
    await home.change("DELETE FROM throttles")
    return await home.sign_in(email, "wrong password")


async def register(home: Home, email: str) -> Reply:
    await home.change("DELETE FROM throttles")
    return await home.register(email)


async def reset(home: Home, email: str) -> Reply:
    await home.change("DELETE FROM throttles")
    return await home.call("POST", "/password-resets", {"email": email})


async def seconds(home: Home, ask: Callable[[Home, str], Awaitable[Reply]], email: str) -> float:
    started = time.perf_counter()
    await ask(home, email)
    return time.perf_counter() - started


async def apart(home: Home, ask: Callable[[Home, str], Awaitable[Reply]]) -> tuple[float, float]:
    """Return how far the medians of known and unknown are apart, and how wide both together spread."""
    home.set(even_answers=timedelta(milliseconds=50))
    object.__setattr__(home.means, "passwords", Passwords(2))  # as costly as in earnest
    await home.register(KNOWN, PASSWORD)
    # taken in turns, so that whatever else the machine does meets both alike
    pairs = [
        (await seconds(home, ask, KNOWN), await seconds(home, ask, f"{uuid4().hex}@example.org"))
        for _ in range(SAMPLES)
    ]
    known, unknown = ([pair[side] for pair in pairs] for side in (0, 1))
    low, _, high = statistics.quantiles(known + unknown, n=4)
    return abs(statistics.median(known) - statistics.median(unknown)), high - low


@pytest.mark.parametrize("ask", [sign_in, register, reset])
async def test_the_time_tells_nothing(home: Home, ask: Callable[[Home, str], Awaitable[Reply]]) -> None:
    difference, spread = await apart(home, ask)
    # one verification takes 20 ms and more, and would stand out; so would a step of 50 ms
    assert difference < max(spread, 0.008), (difference, spread)


async def test_the_measure_would_notice_a_verification_left_out(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Passwords.verify

    async def careless(self: Passwords, encoded: str | None, password: str) -> bool:
        return encoded is not None and await real(self, encoded, password)

    monkeypatch.setattr(Passwords, "verify", careless)
    difference, _ = await apart(home, sign_in)
    assert difference > 0.008
