"""Guessing gets slower the longer it goes on, and never stops anybody for good; replicas share what they count.

A try is counted before the password is verified, so that a thousand at once are as slow as a thousand in a row.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.hot import Hot
from apps.users.domain import digest


@dataclass(frozen=True, slots=True)
class Pace:
    """How many failures are free, how long at most the next try waits, and how fast failures are forgotten."""

    free: int
    longest: timedelta
    forgets: timedelta
    """One failure is forgotten in each such stretch without a try."""


# One person who mistypes is not slowed; one address that guesses gets to a hundred tries a day at one account.
PAIR: Final = Pace(free=10, longest=timedelta(minutes=15), forgets=timedelta(minutes=10))
# Many addresses together: 120 tries an hour at one account, however many machines guess.
ACCOUNT: Final = Pace(free=100, longest=timedelta(seconds=30), forgets=timedelta(minutes=1))
# Mails that anybody can have sent to somebody.
MAIL: Final = Pace(free=3, longest=timedelta(hours=1), forgets=timedelta(minutes=20))

Key = tuple[bytes, Pace]

# All keys in one statement: signing in counts under two, and is done often.
_COUNT = Hot("""
INSERT INTO throttles AS kept (key, failures, last_at, blocked_until)
SELECT key, 1, clock_timestamp(), clock_timestamp() FROM unnest(CAST(:keys AS bytea[])) AS k(key)
ON CONFLICT (key) DO UPDATE SET (failures, last_at, blocked_until) = (
    SELECT number, moment, moment + CASE WHEN number <= free THEN interval '0' ELSE
        LEAST(longest, interval '1 second' * power(2, LEAST(number - free - 1, 20))) END
    FROM (SELECT moment, free, longest, 1 + GREATEST(0, kept.failures - CAST(floor(
            extract(epoch FROM moment - kept.last_at) / extract(epoch FROM forgets)) AS integer)) AS number
        FROM (SELECT clock_timestamp() AS moment) AS clock, unnest(CAST(:keys AS bytea[]), CAST(:free AS integer[]),
            CAST(:longest AS interval[]), CAST(:forgets AS interval[])) AS p(key, free, longest, forgets)
        WHERE p.key = kept.key) AS now
) WHERE kept.blocked_until <= clock_timestamp()
RETURNING key
""")
_WAIT = Hot("""
SELECT coalesce(max(extract(epoch FROM blocked_until - clock_timestamp())), 0) AS seconds
FROM throttles WHERE key = ANY(CAST(:keys AS bytea[]))
""")
_FORGET = Hot("""
WITH right_at_last AS (DELETE FROM throttles WHERE key = :key)
UPDATE throttles SET failures = failures - 1 WHERE key = ANY(CAST(:others AS bytea[])) AND failures > 0
""")


class ThrottledError(Exception):
    """Too many tries failed; the next one has to wait."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("Too many tries have failed; wait before the next.")
        self.headers = {"Retry-After": str(max(1, math.ceil(wait_s)))}


def pair(email: str, address: str) -> Key:
    """Return what counts the tries at one account from one address."""
    return _key("pair", email.lower(), address), PAIR


def account(email: str) -> Key:
    """Return what counts the tries at one account from anywhere."""
    return _key("account", email.lower()), ACCOUNT


def device(nonce: bytes) -> Key:
    """Return what counts the tries from one known device."""
    return _key("device", nonce.hex()), PAIR


def session(session_id: object) -> Key:
    """Return what counts the tries at a password by one that is signed in."""
    return _key("session", str(session_id)), PAIR


def mail(email: str) -> Key:
    """Return what counts the mails that somebody had sent to an address."""
    return _key("mail", email.lower()), MAIL


async def admit(tx: AsyncSession, *keys: Key) -> None:
    """Count a try under each of *keys*; raise ThrottledError where one has to wait, and *tx* is to be rolled back."""
    counted = await _count(tx, *keys)
    if waiting := [key for key, _ in keys if key not in counted]:
        [row] = await _WAIT.run(tx, keys=waiting)
        raise ThrottledError(float(row.seconds))


async def admits(tx: AsyncSession, key: Key) -> bool:
    """Count a try and return True, or return False where it has to wait."""
    return bool(await _count(tx, key))


async def _count(tx: AsyncSession, *keys: Key) -> set[bytes]:
    paces = [pace for _, pace in keys]
    rows = await _COUNT.run(
        tx,
        keys=[key for key, _ in keys],
        free=[pace.free for pace in paces],
        longest=[pace.longest for pace in paces],
        forgets=[pace.forgets for pace in paces],
    )
    return {row.key for row in rows}


async def forget(tx: AsyncSession, first: Key, *others: Key) -> None:
    """Take back what `admit` counted, after a try that was right; only the first key forgets earlier ones as well."""
    await _FORGET.run(tx, key=first[0], others=[key for key, _ in others])


def _key(*parts: str) -> bytes:
    return digest("\0".join(parts).encode())
