"""Card numbers are refused wherever they appear: what never arrives cannot be stolen."""

import re
from typing import Final

_DIGITS: Final = re.compile(r"\d(?:[ -]?\d){12,}")
_CARD_LENGTHS: Final = range(13, 20)


def holds_card_number(text: str) -> bool:
    """Tell whether *text* holds 13 to 19 digits that pass for a card number, in groups or in one."""
    for run in _DIGITS.findall(text):
        for candidate in (run, *re.split("[ -]", run)):
            digits = [int(letter) for letter in candidate if letter.isdigit()]
            if len(digits) in _CARD_LENGTHS and _luhn(digits):
                return True
    return False


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
