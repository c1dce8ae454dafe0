"""Card numbers are refused wherever they appear: what never arrives cannot be stolen.

Digits that pass for a card's stand in other numbers as well, one in ten of that length. So ids of ours are left alone,
and telephone numbers with their plus; numbers of articles and parcels, long by nature, only count where a card of a
known brand looks like that.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

MASK: Final = "[card number]"
_DIGITS: Final = re.compile(r"(?<!\+)\d(?:[ -]?\d){12,}")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TELEPHONE: Final = re.compile(r"\+\d(?:[ -]?\d){0,14}(?![ -]?\d)")
_CARD_LENGTHS: Final = range(13, 20)
_SHORTEST: Final = _CARD_LENGTHS.start
# Visa, Mastercard, American Express, Diners, Discover with UnionPay and JCB, Maestro.
_BRANDS: Final = re.compile(
    r"4\d{15}|4\d{18}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[068]\d{12}|(?:35|6[0245])\d{14,17}|(?:5[06-8]|6[0-9])\d{14}"
)
_LONG_BY_NATURE: Final = frozenset({"sku", "tracking_number"})
# What tells traces apart is hexadecimal, and was never typed by anybody.
_NOT_TYPED: Final = frozenset({"traceparent", "traceid", "tracestate"})


def holds_card_number(text: str, *, long_by_nature: bool = False) -> bool:
    """Tell whether *text* holds 13 to 19 digits that pass for a card number, in groups or in one."""
    return len(text) >= _SHORTEST and any(_is_card(run, long_by_nature) for run in _DIGITS.findall(_without_ids(text)))


def masked(text: str, *, long_by_nature: bool = False) -> str:
    """Return *text* without the digits that pass for a card number."""
    if len(text) < _SHORTEST:
        return text
    kept: list[str] = []
    at = 0
    # what stands for an id is as long as the id, so that places in one text are places in the other
    for found in _DIGITS.finditer(_without_ids(text)):
        if _is_card(found[0], long_by_nature):
            kept += [text[at : found.start()], MASK]
            at = found.end()
    return "".join([*kept, text[at:]])


def screened(value: Any) -> tuple[Any, str]:
    """Return JSON without card numbers, and where the first one stood; nowhere is an empty string."""
    where = next(_places(value, "", ""), "") if _has_long_numbers(value) else ""
    return (_cleaned(value, ""), where) if where else (value, "")


def _has_long_numbers(value: Any) -> bool:
    """Tell, in a third of the time, whether there is anything to judge: most facts hold no number of that length."""
    if isinstance(value, str):
        return len(value) >= _SHORTEST and _DIGITS.search(value) is not None
    if isinstance(value, dict):
        return any(_has_long_numbers(key) or _has_long_numbers(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(map(_has_long_numbers, value))
    return isinstance(value, int) and len(str(value)) >= _SHORTEST


def _without_ids(text: str) -> str:
    return _TELEPHONE.sub(_blank, _UUID.sub(_blank, text))


def _blank(found: re.Match[str]) -> str:
    return "|" * len(found[0])


def _is_card(run: str, long_by_nature: bool) -> bool:  # private, and named where it matters
    for candidate in (run, *re.split("[ -]", run)):
        digits = [int(letter) for letter in candidate if letter.isdigit()]
        if len(digits) in _CARD_LENGTHS and _luhn(digits):
            return not long_by_nature or _BRANDS.fullmatch("".join(map(str, digits))) is not None
    return False


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _places(value: Any, place: str, name: str) -> Iterator[str]:
    """Yield where card numbers stand, as paths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [f"{place}.{MASK}".lstrip(".")] if holds_card_number(key) else ()
            yield from _places(inner, f"{place}.{masked(key)}", key)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _places(inner, f"{place}.{at}", name)
    elif _is_judged(value, name) and holds_card_number(str(value), long_by_nature=name in _LONG_BY_NATURE):
        yield place.lstrip(".") or "content"


def _cleaned(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {masked(key): _cleaned(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner, name) for inner in value]
    if not _is_judged(value, name):
        return value
    clean = masked(str(value), long_by_nature=name in _LONG_BY_NATURE)
    return value if clean == str(value) else clean


def _is_judged(value: Any, name: str) -> bool:
    """Tell whether a value is judged by its digits: texts are, and numbers but for amounts of money."""
    if isinstance(value, bool) or name in _NOT_TYPED:
        return False
    return isinstance(value, str) or (isinstance(value, int) and name != "amount")
