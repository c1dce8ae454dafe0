"""What is logged names nobody: a backstop for what others word, a mail server its refusals, a database its errors."""

import re
from typing import Any, Final

import structlog

# A database's error ends in the row that it is about; what went wrong, and where, stands before that.
_ROW: Final = re.compile(r"^[ \t]*DETAIL: .*(?:\n|$)", re.MULTILINE)
_ADDRESS: Final = re.compile(r"[^\s<>\"'(),:;\[\]\\=]+@[\w-]+(?:\.[\w-]+)*")
_PHONE: Final = re.compile(r"(?<![\w.+-])\+\d[\d ()-]{5,}\d")


def unnamed(text: str) -> str:
    """Return *text* without addresses, phone numbers, and rows that a database quotes."""
    if "DETAIL" in text:
        text = _ROW.sub("", text)
    if "@" in text:
        text = _ADDRESS.sub("(address)", text)
    return _PHONE.sub("(number)", text) if "+" in text else text


def names_nobody(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Apply `unnamed` to every text of a log line."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = unnamed(value)
    return event
