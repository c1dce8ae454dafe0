from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.notifications.domain import (
    FIRST_PAUSE,
    GIVE_UP_AFTER,
    LONGEST_PAUSE,
    UNKNOWN_FOR,
    State,
    is_usable,
    outcome_of,
    pause_before,
    reaches_one,
)
from apps.notifications.failures import Failure
from apps.notifications.sources import Channel

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ID = UUID(int=1)


@pytest.mark.parametrize("attempt", range(1, 40))
def test_pauses_grow_to_a_limit_and_spread(attempt: int) -> None:
    shortest, longest = pause_before(attempt, 0.0), pause_before(attempt, 1.0)
    assert longest == min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
    assert shortest == longest / 2


@pytest.mark.parametrize("failure", [Failure.TECHNICAL, Failure.TEMPORARY])
def test_what_may_pass_is_tried_again_until_it_is_stale(failure: Failure) -> None:
    fresh = outcome_of(ID, failure, "why", attempts=1, since=NOW, now=NOW, chance=1.0)
    assert (fresh.state, fresh.reason, fresh.due_at) == (State.RETRYING, "why", NOW + FIRST_PAUSE)
    stale = outcome_of(ID, failure, "why", attempts=60, since=NOW - GIVE_UP_AFTER, now=NOW, chance=0.5)
    assert (stale.state, stale.due_at) == (State.FAILED, None)
    assert stale.reason == "given up after 60 attempts: why"


def test_the_last_try_is_within_the_day() -> None:
    created = NOW - GIVE_UP_AFTER + FIRST_PAUSE
    assert outcome_of(ID, Failure.TEMPORARY, "", attempts=1, since=created, now=NOW, chance=1.0).due_at
    created -= timedelta(microseconds=1)
    assert not outcome_of(ID, Failure.TEMPORARY, "", attempts=1, since=created, now=NOW, chance=1.0).due_at


def test_what_failed_for_good_is_not_tried_again() -> None:
    outcome = outcome_of(ID, Failure.PERMANENT, "no such user", attempts=1, since=NOW, now=NOW, chance=0.0)
    assert (outcome.state, outcome.reason, outcome.due_at) == (State.FAILED, "no such user", None)


@pytest.mark.parametrize("address", ["ann@example.org", "o'brien+shop@sub.example.co", "jörg@bücher.example"])
def test_ordinary_addresses_are_usable(address: str) -> None:
    assert is_usable(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@example.org;eve@example.org",
        "ann@example.org,eve@example.org",
        "ann@example.org\r\nBcc: eve@example.org",
        "Ann <ann@example.org>",
        "ann@eve@example.org",
        '"ann"@example.org',
        "ann @example.org",
        "a" * 250 + "@example.org",
    ],
)
def test_an_address_that_could_reach_somebody_else_is_not_usable(address: str) -> None:
    assert not is_usable(address)


def test_a_lost_answer_is_waited_for_and_a_bounce_is_final() -> None:
    lost = outcome_of(ID, Failure.UNKNOWN, "why", attempts=1, since=NOW, now=NOW, chance=0.5)
    assert (lost.state, lost.due_at) == (State.UNKNOWN, NOW + UNKNOWN_FOR)
    bounced = outcome_of(ID, Failure.BOUNCED, "why", attempts=1, since=NOW, now=NOW, chance=0.5)
    assert (bounced.state, bounced.due_at) == (State.FAILED, None)


@pytest.mark.parametrize(
    ("channel", "address", "usable"),
    [
        (Channel.SMS, "+4930123456", True),
        (Channel.SMS, "030 123456", False),
        (Channel.SMS, "+49301234567890123", False),
        (Channel.SMS, "", False),
        (Channel.PUSH, "0197a5f0-0000-7000-8000-000000000000", True),
        (Channel.PUSH, "a/../b", False),
        (Channel.EMAIL, "ann@example.org", True),
        (Channel.EMAIL, "+4930123456", False),
    ],
)
def test_a_channel_is_given_its_own_kind_of_address(channel: Channel, address: str, usable: bool) -> None:
    assert reaches_one(channel, address) == usable
