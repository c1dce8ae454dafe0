from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Card:
    """A test card: what it shows and how it behaves."""

    scheme: str
    last4: str
    code: str = "10000"
    asks_customer: bool = False
    refund_fails: bool = False
    capture_fails: bool = False


def token(name: str) -> str:
    """Return the test token of that name, as long as a real one."""
    return f"tok_{name.ljust(26, 'x')}"


CARDS: Final = {
    token("visa"): Card("Visa", "4242"),
    token("mastercard"): Card("Mastercard", "4444"),
    token("declined"): Card("Visa", "0002", "20005"),
    token("insufficientfunds"): Card("Visa", "9995", "20051"),
    token("expired"): Card("Visa", "0069", "20054"),
    token("stolen"): Card("Visa", "9979", "30043"),
    token("issuerunavailable"): Card("Visa", "0119", "20091"),
    token("challenge"): Card("Visa", "3184", asks_customer=True),
    token("refundfails"): Card("Visa", "5126", refund_fails=True),
    token("capturefails"): Card("Visa", "0341", capture_fails=True),
}
