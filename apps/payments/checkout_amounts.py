"""Amounts as Checkout.com counts them (its page "Format the amount value"): often as ISO 4217, not always."""

from typing import Final

# Counted in thousandths, and the last digit must be nought.
_TENS_ONLY: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
# Counted in hundredths, though there are none: the last two digits must be nought.
_IN_HUNDREDTHS: Final = frozenset({"CLP"})
_HIGHEST: Final = 999_999_999


def theirs(amount: int, currency: str) -> int | None:
    """Return an amount of ours as they count it, or None for one that they do not take."""
    if currency in _TENS_ONLY and amount % 10:
        return None
    counted = amount * 100 if currency in _IN_HUNDREDTHS else amount
    return counted if 0 < counted <= _HIGHEST else None


def ours(amount: int, currency: str) -> int:
    """Return an amount of theirs in minor units; what none of ours could be stays as it is, and is seen to differ."""
    return amount // 100 if currency in _IN_HUNDREDTHS and amount % 100 == 0 else amount
