from dataclasses import dataclass
from typing import Final

from stack.stand_ins.card_processor.errors import Refused, invalid


@dataclass(frozen=True, slots=True)
class Card:
    """A test card: what it shows and how it behaves."""

    brand: str
    last4: str
    code: str | None = None
    decline_code: str | None = None
    message: str = "Your card was declined."
    asks_customer: bool = False
    refund_fails: bool = False


CARDS: Final = {
    "pm_card_visa": Card("visa", "4242"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_amex": Card("amex", "8431"),
    "pm_card_chargeDeclined": Card("visa", "0002", "card_declined", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": Card(
        "visa", "9995", "card_declined", "insufficient_funds", "Your card has insufficient funds."
    ),
    "pm_card_chargeDeclinedLostCard": Card("visa", "9987", "card_declined", "lost_card"),
    "pm_card_chargeDeclinedStolenCard": Card("visa", "9979", "card_declined", "stolen_card"),
    "pm_card_chargeDeclinedExpiredCard": Card("visa", "0069", "expired_card", None, "Your card has expired."),
    "pm_card_chargeDeclinedProcessingError": Card(
        "visa", "0119", "processing_error", None, "An error occurred while processing your card. Try again."
    ),
    "pm_card_authenticationRequired": Card("visa", "3184", asks_customer=True),
    "pm_card_refundFail": Card("visa", "5126", refund_fails=True),
}


def card(payment_method: str) -> Card:
    """Return the test card of that name, or refuse; what is no name is not repeated, it might be a card number."""
    if payment_method in CARDS:
        return CARDS[payment_method]
    if not payment_method.startswith("pm_"):
        raise invalid("payment_method must be a token such as pm_card_visa", "payment_method", "resource_missing")
    message = f"No such PaymentMethod: '{payment_method[:80]}'"
    raise Refused(400, type="invalid_request_error", code="resource_missing", message=message, param="payment_method")
