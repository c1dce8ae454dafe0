import re
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from stack.stand_ins.card_processor.errors import invalid

_PART: Final = re.compile(r"\[([^\]]*)\]")
_KEYS: Final = 50
_KEY_LENGTH: Final = 40
_VALUE_LENGTH: Final = 500


class Form:
    """Parameters as Stripe's clients encode them: `metadata[order_id]=1`, `expand[0]=latest_charge`."""

    def __init__(self, encoded: bytes) -> None:
        self.fields: dict[str, Any] = {}
        for name, value in parse_qsl(encoded.decode("utf-8", "replace"), keep_blank_values=True):
            head, bracket, _ = name.partition("[")
            if bracket:
                parts = _PART.findall(name[len(head) :])
                _put(self.fields.setdefault(head, {}), name, parts, value)
            else:
                self.fields[name] = value

    def allow(self, names: frozenset[str]) -> None:
        """Refuse a parameter that is not among *names*, as a misspelt one would otherwise change nothing."""
        for name in self.fields:
            if name not in names and name != "expand":
                raise invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")

    def text(self, name: str) -> str | None:
        """Return a plain value; None where it is absent or blank."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid(f"Invalid string: {name}", name)
        return value or None

    def required(self, name: str) -> str:
        """Return a value that must be there."""
        value = self.text(name)
        if value is None:
            raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
        return value

    def choice(self, name: str, known: tuple[str, ...]) -> str | None:
        """Return a value that must be one of *known*."""
        value = self.text(name)
        if value is not None and value not in known:
            raise invalid(f"Invalid {name}: must be one of {', '.join(known)}", name)
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean; absent is false."""
        return self.choice(name, ("true", "false")) == "true"

    def integer(self, name: str, lowest: int, highest: int) -> int | None:
        """Return a whole number within bounds."""
        value = self.text(name)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):  # noqa: PLR2004 - what SQLite can hold
            raise invalid(f"Invalid integer: {value[:40]}", name, "parameter_invalid_integer")
        number = int(value)
        if not lowest <= number <= highest:
            raise invalid(f"Invalid {name}: must be from {lowest} to {highest}", name, "parameter_invalid_integer")
        return number

    def many(self, name: str) -> list[str]:
        """Return a list's values in the order sent."""
        value = self.fields.get(name, {})
        return [str(one) for one in value.values()] if isinstance(value, dict) else [str(value)]

    def metadata(self) -> dict[str, str]:
        """Return the caller's own labels, within Stripe's limits."""
        value = self.fields.get("metadata") or {}
        if not isinstance(value, dict):
            raise invalid("Invalid metadata: must be a hash", "metadata")
        if len(value) > _KEYS:
            raise invalid(f"Metadata may have at most {_KEYS} keys", "metadata")
        for key, content in value.items():
            if len(key) > _KEY_LENGTH or not isinstance(content, str) or len(content) > _VALUE_LENGTH:
                raise invalid(f"Metadata '{key[:40]}': keys have up to 40 and values up to 500 characters", "metadata")
        return {key: content for key, content in value.items() if content}

    def bounds(self, name: str) -> dict[str, int]:
        """Return a range filter, operator to Unix seconds: `created=5` or `created[gte]=5`."""
        value = self.fields.get(name, {})
        pairs = value if isinstance(value, dict) else {"eq": value}
        found: dict[str, int] = {}
        for operator, seconds in pairs.items():
            if operator not in {"eq", "gt", "gte", "lt", "lte"} or not str(seconds).isdecimal():
                raise invalid(f"Invalid {name}[{operator}]: must be Unix seconds", name)
            found[operator] = min(int(seconds), int(datetime.max.replace(tzinfo=UTC).timestamp()))
        return found


def _put(target: Any, name: str, parts: list[str], value: str) -> None:
    for part in parts[:-1]:
        if not isinstance(target, dict):
            break
        target = target.setdefault(part, {})
    if not isinstance(target, dict) or not parts:
        raise invalid(f"Invalid parameter: {name[:80]}", name[:80])
    # `expand[]=a&expand[]=b` gives each value a place of its own
    target[parts[-1] or str(len(target))] = value
