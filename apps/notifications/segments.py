"""How many text messages a text is paid as: GSM 03.38 where its alphabet will do, UCS-2 otherwise."""

from dataclasses import dataclass
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
# One message, and each of several: those carry a header that says which part they are.
_GSM_7: Final = (160, 153)
_UCS_2: Final = (70, 67)


@dataclass(frozen=True, slots=True)
class Segments:
    """The alphabet of a text message, and how many are sent."""

    encoding: str
    units: int
    count: int


def segments(text: str) -> Segments:
    """Count; a character of the extension takes two places and is never torn apart, nor is a surrogate pair."""
    gsm = all(character in _BASIC or character in _EXTENDED for character in text)
    widths = [_width(character, gsm=gsm) for character in text]
    single, part = _GSM_7 if gsm else _UCS_2
    units = sum(widths)
    return Segments("GSM-7" if gsm else "UCS-2", units, 1 if units <= single else _parts(widths, part))


def _width(character: str, *, gsm: bool) -> int:
    if gsm:
        return 2 if character in _EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1  # noqa: PLR2004  # beyond the first plane


def _parts(widths: list[int], size: int) -> int:
    count, filled = 1, 0
    for width in widths:
        if filled + width > size:
            count, filled = count + 1, 0
        filled += width
    return count
