import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from apps.users.passwords import HASHER, OverloadedError, Passwords

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PLAIN = "correct horse"


async def test_a_password_is_good_exactly_as_it_was_received() -> None:
    passwords = Passwords(1, QUICK)
    encoded = await passwords.hash(" Grün\u0308 ")
    assert await passwords.verify(encoded, " Grün\u0308 ")
    for near in ("Grün\u0308", " grün\u0308 ", " Grün ", ""):
        assert not await passwords.verify(encoded, near)


async def test_nobodys_password_is_verified_and_never_right(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(1, QUICK)
    tried: list[str] = []

    def match_anything(encoded: str, _password: str) -> bool:
        tried.append(encoded)
        return True

    monkeypatch.setattr(passwords, "_matches", match_anything)
    assert not await passwords.verify(None, PLAIN)
    assert tried == [passwords._nobodys]


async def test_a_hash_that_cannot_be_read_is_never_right() -> None:
    assert not await Passwords(1, QUICK).verify("no hash", PLAIN)


async def test_a_hash_with_other_parameters_is_outdated() -> None:
    passwords = Passwords(1)
    assert passwords.outdated(QUICK.hash(PLAIN))
    assert not passwords.outdated(await passwords.hash(PLAIN))


async def test_the_parameters_are_no_weaker_than_recommended() -> None:
    assert (await Passwords(1).hash(PLAIN)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert HASHER.memory_cost * HASHER.time_cost >= 19_456 * 2


async def test_beyond_a_short_queue_people_are_asked_to_come_again() -> None:
    passwords, gate = Passwords(2, QUICK), threading.Event()
    at_work = [asyncio.ensure_future(passwords._run(gate.wait)) for _ in range(6)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await passwords.verify(None, PLAIN)
    gate.set()
    await asyncio.gather(*at_work)
    assert await passwords.hash(PLAIN)


async def test_one_who_leaves_gives_up_the_place_in_the_queue() -> None:
    passwords, gate = Passwords(1, QUICK), threading.Event()
    at_work = [asyncio.ensure_future(passwords._run(gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    at_work[-1].cancel()
    await asyncio.gather(at_work[-1], return_exceptions=True)
    last = asyncio.ensure_future(passwords.hash(PLAIN))
    gate.set()
    assert await last
    await asyncio.gather(*at_work[:-1])
