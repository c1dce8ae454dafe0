"""How long, and when, as it is written on the command line."""

import re
from datetime import UTC, datetime, timedelta

from stack.errors import StackError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment(option: str, text: str) -> datetime:
    """Read how long ago or when; a time without a zone is UTC."""
    try:
        ago = _length(text)
        if ago is not None:
            return datetime.now(UTC) - ago
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise StackError(f"{option} {text!r} is not understood: write 30m, 24h or 2026-11-27T14:00Z") from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def duration(option: str, text: str) -> timedelta:
    """Read how long; a moment that far ago has to exist."""
    try:
        found = _length(text)
        if found is not None and datetime.now(UTC) - found:
            return found
    except (ValueError, OverflowError):
        pass  # more digits than a number has, or longer than time is
    raise StackError(f"{option} {text!r} is not understood: write 0s, 5m or 1h")


def _length(text: str) -> timedelta | None:
    match = re.fullmatch(r"([0-9]+)([smhd])", text)
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]]) if match else None
