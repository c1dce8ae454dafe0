"""Hashing passwords takes the cores and not the service; how fast that is, and how long others wait meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median, quantiles

import pytest

from apps.users.passwords import HASHER, Passwords, _give_way
from tests.store.users.conftest import PASSWORD, Home
from tests.support.asgi import Reply

WORKERS = 2
# Two at work and two waiting behind each.
CAPACITY = 3 * WORKERS
LOOKS = 40
PHASE_S, PHASES = 4, 7


@dataclass
class Crowd:
    """Clients that sign in again and again, each as somebody else."""

    home: Home
    number: int
    took: dict[int, list[float]] = field(default_factory=lambda: {201: [], 503: []})
    told: list[Reply] = field(default_factory=list[Reply])
    over: bool = False

    async def sign_in(self, client: int) -> None:
        while not self.over:
            began = time.perf_counter()
            reply = await self.home.sign_in(email(client), address=f"192.0.2.{client}")
            self.took[reply.status].append(time.perf_counter() - began)
            if reply.status == 503:
                self.told.append(reply)
                await asyncio.sleep(0.05)

    async def during(self, work: Awaitable[float]) -> float:
        """Return what *work* measures while the crowd is there."""
        crowd = [asyncio.ensure_future(self.sign_in(client)) for client in range(self.number)]
        measured = await work
        self.over = True
        await asyncio.gather(*crowd)
        return measured


def email(client: int) -> str:
    return f"client-{client}@example.org"


@pytest.fixture
async def busy(home: Home) -> AsyncIterator[Home]:
    """The service with passwords as costly as in earnest, and people who have them."""
    for client in range(2 * CAPACITY):
        await home.register(email(client))
    quick, earnest = home.means.passwords, Passwords(WORKERS)
    object.__setattr__(home.means, "passwords", earnest)
    for client in range(2 * CAPACITY):  # hashes as of today from now on
        assert (await home.sign_in(email(client))).status == 201
    yield home
    earnest.close()
    object.__setattr__(home.means, "passwords", quick)


@pytest.mark.soak
async def test_at_twice_the_pools_capacity_others_are_served_and_those_beyond_it_told_to_come_again(
    busy: Home,
) -> None:
    token = (await busy.sign_in(email(0))).json()["access_token"]

    async def look() -> list[float]:
        took: list[float] = []
        for _ in range(LOOKS):
            began = time.perf_counter()
            assert (await busy.call("GET", "/users/me", token=token)).status == 200
            took.append(time.perf_counter() - began)
            await asyncio.sleep(0.01)
        return took

    alone = await look()
    crowd, beside = Crowd(busy, 2 * CAPACITY), list[float]()

    async def beside_them() -> float:
        beside.extend(await look())
        return median(beside)

    loaded = await crowd.during(beside_them())
    signed_in, refused = crowd.took[201], crowd.took[503]
    print(
        f"GET /users/me alone {shown(alone)}, at twice the capacity {shown(beside)}; "
        f"{len(signed_in)} signed in {shown(signed_in)}, {len(refused)} told to come again {shown(refused)}"
    )
    # both suffer from a busy machine; on the loop's own thread both would wait for every hash before them
    assert 3 * loaded < median(signed_in)
    assert refused, "nobody was beyond the pool's bound"
    assert median(refused) < median(signed_in)
    assert {reply.headers.get("retry-after") for reply in crowd.told} == {"1"}
    # as many as wait at once at most, however many come
    assert max(signed_in) < 5 * CAPACITY * median(signed_in)


def shown(took: list[float]) -> str:
    return f"p50 {median(took) * 1000:.1f} ms, p95 {quantiles(took, n=20)[-1] * 1000:.1f} ms"


def bare(workers: int, seconds: float) -> float:
    """Return how many passwords argon2 verifies in a second on *workers* threads that do nothing else."""
    encoded, until = HASHER.hash(PASSWORD), time.perf_counter() + seconds

    def work() -> int:
        count = 0
        while time.perf_counter() < until:
            HASHER.verify(encoded, PASSWORD)
            count += 1
        return count

    with ThreadPoolExecutor(workers, initializer=_give_way) as pool:
        return sum(pool.map(lambda _: work(), range(workers))) / seconds


@pytest.mark.soak
@pytest.mark.parametrize("workers", [1, WORKERS])
async def test_sign_ins_come_near_what_argon2_allows(busy: Home, workers: int) -> None:
    object.__setattr__(busy.means, "passwords", Passwords(workers))

    async def a_while() -> float:
        await asyncio.sleep(PHASE_S)
        return PHASE_S

    shares: list[float] = []
    for _ in range(PHASES):  # in turns, so that whatever else the machine does meets both alike
        limit = await asyncio.to_thread(bare, workers, PHASE_S)
        crowd = Crowd(busy, 3 * workers)
        await crowd.during(a_while())
        shares.append(len(crowd.took[201]) / PHASE_S / limit)
        print(f"{workers} workers: argon2 alone {limit:.1f}/s, sign-ins {shares[-1] * limit:.1f}/s")
    print(f"median share {median(shares):.2f}")
    assert median(shares) >= 0.8
