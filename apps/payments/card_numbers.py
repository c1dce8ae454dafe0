import re
from typing import Final

_DIGITS: Final = re.compile(r"\d(?:[ -]?\d){12,}")
_LENGTHS: Final = range(13, 20)


def refuse_card_numbers(value: str) -> str:
    """Return *value*, or raise ValueError where a card number stands in it: tokens only, here."""
    for run in _DIGITS.findall(value):
        digits = [int(each) for each in run if each.isdigit()]
        if len(digits) in _LENGTHS and _luhn(digits):
            raise ValueError("looks like a card number; send the processor's token for the card instead")
    return value


def _luhn(digits: list[int]) -> bool:
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
