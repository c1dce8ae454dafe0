"""What the processor's many decline codes mean to a customer: one of a few codes of ours, and an advice."""

from typing import Final

ADVICE: Final = {
    "insufficient_funds": "Use another card, or try again when the account has funds.",
    "card_expired": "Use a card that has not expired.",
    "details_incorrect": "Check the card's details and try again.",
    "authentication_required": "The bank wants you to confirm the payment; pay again and follow its instructions.",
    "limit_exceeded": "The card's limit is reached; use another card or ask the bank.",
    "not_supported": "The card does not support this purchase; use another card.",
    "try_again": "The bank could not process the payment; try again in a few minutes.",
    "contact_bank": "The bank declined the payment; ask it why, or use another card.",
    "method_not_valid": "The payment method is not valid; choose another one.",
    "amount_not_accepted": "The processor does not take this amount; ask support.",
    "declined": "The payment was declined; use another card.",
}

RETRYABLE: Final = frozenset({"try_again", "amount_not_accepted"})
"""It was the processor or the way to the bank that failed, and not the bank that refused: another processor may do."""

_CODES: Final = {
    "insufficient_funds": "insufficient_funds",
    "card_expired": "expired_card",
    "details_incorrect": (
        "incorrect_number invalid_number incorrect_cvc invalid_cvc invalid_expiry_month invalid_expiry_year"
        " incorrect_zip incorrect_address incorrect_pin invalid_pin invalid_account offline_pin_required"
        " online_or_offline_pin_required"
    ),
    "authentication_required": (
        "authentication_required authentication_not_handled mobile_device_authentication_required"
        " payment_intent_authentication_failure"
    ),
    "limit_exceeded": "card_velocity_exceeded withdrawal_count_limit_exceeded pin_try_exceeded",
    "not_supported": "card_not_supported currency_not_supported transaction_not_allowed testmode_decline",
    "try_again": (
        "approve_with_id issuer_not_available processing_error reenter_transaction try_again_later"
        " payment_intent_payment_attempt_expired"
    ),
    "contact_bank": (
        "call_issuer do_not_honor do_not_try_again new_account_information_available no_action_taken not_permitted"
        " restricted_card revocation_of_all_authorizations revocation_of_authorization security_violation"
        " service_not_allowed stop_payment_order"
    ),
    "method_not_valid": "resource_missing payment_method_invalid payment_method_unactivated",
    "amount_not_accepted": "amount_too_large amount_too_small invalid_amount",
    # A merchant must not tell a thief that the card is known to be stolen.
    "declined": "card_declined fraudulent generic_decline lost_card merchant_blacklist pickup_card stolen_card"
    " duplicate_transaction",
}
NORMALISED: Final = {code: ours for ours, codes in _CODES.items() for code in codes.split()}


def normalise(decline_code: str | None, code: str | None) -> str:
    """Return our code for the processor's; the issuer's word says more than the processor's."""
    for given in (decline_code, code):
        if given in NORMALISED:
            return NORMALISED[given]
    return "declined"
