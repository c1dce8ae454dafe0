import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID


class Category(StrEnum):
    """What a message is about; it decides who overtakes whom, and later what may be declined."""

    SECURITY = "security"
    ORDERS = "orders"
    MARKETING = "marketing"


class State(StrEnum):
    """Where a message is on its way."""

    QUEUED = "queued"
    SENDING = "sending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"


class Failure(StrEnum):
    """Whose trouble it is."""

    TECHNICAL = "technical"
    """Ours or the provider's: every message would fail now."""
    TEMPORARY = "temporary"
    """This recipient's, for now."""
    PERMANENT = "permanent"
    """This recipient's or this message's, for good."""


PRIORITIES: Final = {Category.SECURITY: 0, Category.ORDERS: 1, Category.MARKETING: 2}
# News older than this no longer helps; a provider's outage lasts hours, rarely a day.
GIVE_UP_AFTER: Final = timedelta(hours=24)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=30)
_MAX_ADDRESS: Final = 254
# A semicolon separates recipients in the mail component, so an address that holds one would reach somebody else.
_ADDRESS: Final = re.compile(r"[^\s;,<>()\"@\x00-\x1f\x7f]+@[^\s;,<>()\"@\x00-\x1f\x7f]+")
_REFUSED: Final = re.compile(r"could not send email \d+: (?P<code>[45]\d\d)\b")
_MISADDRESSED: Final = "gomail: invalid address"
# 421: the server is closing; 432, 454, 53x: it does not like our login. Neither is about this recipient.
_NOT_THE_RECIPIENT: Final = frozenset({"421", "432", "454", "530", "534", "535", "538"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; `due_at` is set where there will be another."""

    message_id: UUID
    state: State
    reason: str | None = None
    due_at: datetime | None = None


def failure_of(report: str) -> Failure:
    """Tell from what the mail component reports whose trouble it is; what is not understood is technical."""
    if _MISADDRESSED in report:
        return Failure.PERMANENT
    refused = _REFUSED.search(report)
    if not refused or refused["code"] in _NOT_THE_RECIPIENT:
        return Failure.TECHNICAL
    return Failure.PERMANENT if refused["code"].startswith("5") else Failure.TEMPORARY


def pause_before(attempt: int, chance: float) -> timedelta:
    """Return how long to wait after the *attempt*-th failure, half of it by *chance* (0 to 1): no thundering herd."""
    full: timedelta = min(FIRST_PAUSE * (1 << min(attempt - 1, 20)), LONGEST_PAUSE)
    return full * (0.5 + chance / 2)


def outcome_of(
    message_id: UUID,
    failure: Failure,
    reason: str,
    *,
    attempts: int,
    created_at: datetime,
    now: datetime,
    chance: float,
) -> Outcome:
    """Decide whether a failed message is tried again, and when."""
    due_at = now + pause_before(attempts, chance)
    if failure is Failure.PERMANENT:
        return Outcome(message_id, State.FAILED, reason)
    if due_at > created_at + GIVE_UP_AFTER:
        return Outcome(message_id, State.FAILED, f"given up after {attempts} attempts: {reason}")
    return Outcome(message_id, State.RETRYING, reason, due_at)


def is_usable(address: str) -> bool:
    """Tell whether mail to *address* reaches one person at most."""
    return len(address) <= _MAX_ADDRESS and _ADDRESS.fullmatch(address) is not None
