from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from apps.notifications.domain import (
    FIRST_PAUSE,
    GIVE_UP_AFTER,
    LONGEST_PAUSE,
    Failure,
    State,
    failure_of,
    is_usable,
    outcome_of,
    pause_before,
)

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ID = UUID(int=1)
REFUSAL = "binding email: error invoking output binding email: error from smtp binding, sending email failed: {}"


@pytest.mark.parametrize(
    ("report", "failure"),
    [
        ("gomail: could not send email 1: 550 5.1.1 no such user", Failure.PERMANENT),
        ("gomail: could not send email 1: 554 5.3.0 rejected as spam", Failure.PERMANENT),
        ('gomail: could not send email 1: gomail: invalid address "x": mail: missing @', Failure.PERMANENT),
        ("gomail: could not send email 1: 450 4.2.1 mailbox busy", Failure.TEMPORARY),
        ("gomail: could not send email 1: 452 4.2.2 mailbox full", Failure.TEMPORARY),
        ("gomail: could not send email 1: 421 4.3.0 closing", Failure.TECHNICAL),
        ("gomail: could not send email 1: 530 5.7.0 authentication required", Failure.TECHNICAL),
        ("gomail: could not send email 1: EOF", Failure.TECHNICAL),
        ("535 5.7.8 authentication credentials invalid", Failure.TECHNICAL),
        ("dial tcp 127.0.0.1:1025: connect: connection refused", Failure.TECHNICAL),
        ("circuit breaker is open", Failure.TECHNICAL),
        ("context deadline exceeded", Failure.TECHNICAL),
    ],
)
def test_what_the_mail_component_reports_is_told_apart(report: str, failure: Failure) -> None:
    assert failure_of(REFUSAL.format(report)) is failure


@pytest.mark.parametrize("attempt", range(1, 40))
def test_pauses_grow_to_a_limit_and_spread(attempt: int) -> None:
    shortest, longest = pause_before(attempt, 0.0), pause_before(attempt, 1.0)
    assert longest == min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
    assert shortest == longest / 2


@pytest.mark.parametrize("failure", [Failure.TECHNICAL, Failure.TEMPORARY])
def test_what_may_pass_is_tried_again_until_it_is_stale(failure: Failure) -> None:
    fresh = outcome_of(ID, failure, "why", attempts=1, created_at=NOW, now=NOW, chance=1.0)
    assert (fresh.state, fresh.reason, fresh.due_at) == (State.RETRYING, "why", NOW + FIRST_PAUSE)
    stale = outcome_of(ID, failure, "why", attempts=60, created_at=NOW - GIVE_UP_AFTER, now=NOW, chance=0.5)
    assert (stale.state, stale.due_at) == (State.FAILED, None)
    assert stale.reason == "given up after 60 attempts: why"


def test_the_last_try_is_within_the_day() -> None:
    created = NOW - GIVE_UP_AFTER + FIRST_PAUSE
    assert outcome_of(ID, Failure.TEMPORARY, "", attempts=1, created_at=created, now=NOW, chance=1.0).due_at
    created -= timedelta(microseconds=1)
    assert not outcome_of(ID, Failure.TEMPORARY, "", attempts=1, created_at=created, now=NOW, chance=1.0).due_at


def test_what_failed_for_good_is_not_tried_again() -> None:
    outcome = outcome_of(ID, Failure.PERMANENT, "no such user", attempts=1, created_at=NOW, now=NOW, chance=0.0)
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
