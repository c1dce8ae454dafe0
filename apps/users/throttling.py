"""Guessing gets slower the longer it goes on, and never stops anybody for good; replicas share what they count.

A try is counted before the password is verified, so that a thousand at once are as slow as a thousand in a row.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

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

# One statement for a try, which counts under all its keys or, where it has to wait, under none; what follows in it may
# read `tried`. Rows are locked in the order of their keys, since two tries at one account share some.
TRY: Final = """
WITH held AS MATERIALIZED (
    SELECT blocked_until FROM throttles WHERE key = ANY(CAST(:keys AS bytea[])) ORDER BY key FOR UPDATE
), blocked AS MATERIALIZED (
    SELECT coalesce(max(extract(epoch FROM blocked_until - clock_timestamp())), 0) AS wait_s FROM held
), counted AS (
    INSERT INTO throttles AS kept (key, failures, last_at, blocked_until)
    SELECT key, 1, clock_timestamp(), clock_timestamp() FROM unnest(CAST(:keys AS bytea[])) AS k(key)
    WHERE (SELECT wait_s FROM blocked) <= 0 ORDER BY key
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
), tried AS (SELECT wait_s, array(SELECT key FROM counted) AS counted FROM blocked)
"""
_COUNT = Hot(f"{TRY} SELECT wait_s, counted FROM tried")  # noqa: S608  # our own
_TAKE_BACK = Hot(
    "UPDATE throttles SET failures = failures - 1 WHERE key = ANY(CAST(:keys AS bytea[])) AND failures > 0"
)
# What a try that was right does to the counts, in a statement whose `admitted` holds one row where it was.
FORGOTTEN: Final = """
tallies AS MATERIALIZED (
    SELECT key FROM throttles, admitted WHERE key = ANY(CAST(:keys AS bytea[])) ORDER BY key FOR UPDATE OF throttles
), right_at_last AS (
    DELETE FROM throttles USING tallies WHERE throttles.key = tallies.key AND tallies.key = :first
), taken_back AS (
    UPDATE throttles SET failures = failures - 1 FROM tallies
    WHERE throttles.key = tallies.key AND tallies.key <> :first AND failures > 0)
"""
_FORGET = Hot(f"WITH admitted AS (SELECT true), {FORGOTTEN} SELECT")


class Tried(Protocol):
    """A row of `tried`."""

    wait_s: Decimal
    counted: list[bytes]


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


async def admit(tx: AsyncSession | AsyncConnection, *keys: Key) -> None:
    """Count a try under each of *keys*; raise ThrottledError where one has to wait, and *tx* is to be rolled back."""
    [row] = await _COUNT.run(tx, **tried_under(*keys))
    await must_be_admitted(tx, row, *keys)


async def admits(tx: AsyncSession, key: Key) -> bool:
    """Count a try and return True, or return False where it has to wait."""
    [row] = await _COUNT.run(tx, **tried_under(key))
    return bool(row.counted)


def tried_under(*keys: Key) -> dict[str, Any]:
    """Return what a statement that begins with `TRY` has to be told."""
    paces = [pace for _, pace in keys]
    return {
        "keys": [key for key, _ in keys],
        "free": [pace.free for pace in paces],
        "longest": [pace.longest for pace in paces],
        "forgets": [pace.forgets for pace in paces],
    }


async def must_be_admitted(tx: AsyncSession | AsyncConnection, tried: Tried, *keys: Key) -> None:
    """Raise ThrottledError unless the try was counted under each of *keys*."""
    if len(tried.counted) < len(keys):
        if tried.counted:  # the first tries of all, at once: no row was there yet to be held
            await _TAKE_BACK.run(tx, keys=tried.counted)
        raise ThrottledError(float(tried.wait_s))


async def forget(tx: AsyncSession, first: Key, *others: Key) -> None:
    """Take back what `admit` counted, after a try that was right; only the first key forgets earlier ones as well."""
    await _FORGET.run(tx, **right_under(first, *others))


def right_under(first: Key, *others: Key) -> dict[str, Any]:
    """Return what a statement that holds `FORGOTTEN` has to be told."""
    return {"first": first[0], "keys": [key for key, _ in (first, *others)]}


def _key(*parts: str) -> bytes:
    return digest("\0".join(parts).encode())
