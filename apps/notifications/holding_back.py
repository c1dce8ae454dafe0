"""Whether a claimed message goes out now, later, or not at all."""

from datetime import datetime, timedelta
from typing import Final

from apps.notifications.digest_hours import digest_due
from apps.notifications.domain import REPEATABLE, Category, Outcome, State
from apps.notifications.messages import Message
from apps.notifications.quiet import quiet_until
from apps.notifications.rendering import zone_of

MOST_A_DAY: Final = 5
"""Marketing messages that one person gets within a day; more of them wait."""
_WAIT_WHEN_ENOUGH: Final = timedelta(hours=6)
# All quiet hours of a zone end at once, and nobody minds a few minutes.
_SPREAD: Final = timedelta(minutes=2)
_NEVER_TWICE: Final = (
    "outcome unknown: the provider's answer was lost, and a text message is never repeated by itself; "
    "redeliver it where it did not arrive"
)

_DECLINED: Final = "the recipient's preferences decline this"
_SUPPRESSED: Final = "unsubscribed, or mail to this address came back"


def held_back(message: Message, now: datetime, chance: float) -> Outcome | None:
    """Return what keeps *message* from being sent now, or None; security messages wait for nobody's leave."""
    if message.lost and message.channel not in REPEATABLE:
        return Outcome(message.id, State.FAILED, _NEVER_TWICE)
    if message.category is Category.SECURITY:
        return None
    if message.declined or message.suppressed:
        return Outcome(message.id, State.SKIPPED, _DECLINED if message.declined else _SUPPRESSED)
    if later := _later(message, now, chance):
        return later
    if message.recent >= MOST_A_DAY:
        return Outcome(message.id, State.QUEUED, "written to often enough today", now + _WAIT_WHEN_ENOUGH)
    return None


def _later(message: Message, now: datetime, chance: float) -> Outcome | None:
    """Return until when its reader wants it to wait, or None."""
    zone = zone_of(message.timezone)
    if message.digest is not None and not message.lost:
        due = digest_due(now, zone, message.digest)
        return Outcome(message.id, State.QUEUED, "waits for the digest", due, digested=True)
    if message.quiet_from is not None and message.quiet_to is not None:
        over = quiet_until(now, zone, message.quiet_from, message.quiet_to)
        if over:
            return Outcome(message.id, State.QUEUED, "quiet hours", over + _SPREAD * chance)
    return None
