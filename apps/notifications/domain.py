import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from apps.notifications.failures import Failure
from apps.notifications.sources import Channel


class Category(StrEnum):
    """What a message is about; it decides who overtakes whom, and what may be declined."""

    SECURITY = "security"
    ORDERS = "orders"
    MARKETING = "marketing"


class State(StrEnum):
    """Where a message is on its way."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    """A provider may have taken it: its answer was lost."""
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up; it is among the undelivered."""
    SKIPPED = "skipped"
    """Not wanted: declined, unsubscribed, suppressed, or its campaign was cancelled."""
    GATHERED = "gathered"
    """Told in a digest, which is a message of its own."""
    DISCARDED = "discarded"
    """Was undelivered; somebody has dealt with it, or it lay too long."""


PRIORITIES: Final = {Category.SECURITY: 0, Category.ORDERS: 1, Category.MARKETING: 2}
# News older than this no longer helps; a provider's outage lasts hours, rarely a day.
GIVE_UP_AFTER: Final = timedelta(hours=24)
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=30)
UNKNOWN_FOR: Final = timedelta(minutes=1)
"""How long a lost answer is waited for: a conversation may still be going on, a receipt may still come."""
# Whoever gets a second copy sees one: mail programs drop a Message-ID they have, devices replace a push of the same id.
# A text message would be paid and read twice.
REPEATABLE: Final = frozenset({Channel.EMAIL, Channel.PUSH})
CODES: Final = ["verify-email", "password-reset"]
"""Templates whose data is a secret for one use: it is destroyed with the message's end, whichever that is."""
_MAX_ADDRESS: Final = 254
# A semicolon separates recipients in the mail component, so an address that holds one would reach somebody else.
_ADDRESS: Final = re.compile(r"[^\s;,<>()\"@\x00-\x1f\x7f]+@[^\s;,<>()\"@\x00-\x1f\x7f]+")
_NUMBER: Final = re.compile(r"\+[1-9]\d{5,14}")
_DEVICE: Final = re.compile(r"[A-Za-z0-9._:-]{1,200}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; `due_at` is set where there will be another."""

    message_id: UUID
    state: State
    reason: str | None = None
    due_at: datetime | None = None
    provider: str | None = None
    digested: bool = False
    """It waits for its reader's digest, which is due at `due_at`."""
    bounced: str | None = None
    """Its address, where nobody is there; after some of these nothing more is sent to it."""


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
    since: datetime,
    now: datetime,
    chance: float,
) -> Outcome:
    """Decide whether a failed message is tried again, and when; *since* is when it was first tried."""
    due_at = now + pause_before(attempts, chance)
    if failure is Failure.UNKNOWN:
        return Outcome(message_id, State.UNKNOWN, reason, now + UNKNOWN_FOR)
    if failure in (Failure.PERMANENT, Failure.BOUNCED):
        return Outcome(message_id, State.FAILED, reason)
    if due_at > since + GIVE_UP_AFTER:
        return Outcome(message_id, State.FAILED, f"given up after {attempts} attempts: {reason}")
    return Outcome(message_id, State.RETRYING, reason, due_at)


def is_usable(address: str) -> bool:
    """Tell whether mail to *address* reaches one person at most."""
    return len(address) <= _MAX_ADDRESS and _ADDRESS.fullmatch(address) is not None


def reaches_one(channel: Channel, address: str) -> bool:
    """Tell whether *address* is one that *channel* can be given."""
    if channel is Channel.EMAIL:
        return is_usable(address)
    return (_NUMBER if channel is Channel.SMS else _DEVICE).fullmatch(address) is not None
