"""Stripe's objects, with the fields that its SDK and its users look at."""

import secrets

from stack.stand_ins.card_processor.book import Json, new_id, now
from stack.stand_ins.card_processor.cards import Card


def intent(amount: int, currency: str, capture_method: str, metadata: dict[str, str]) -> Json:
    """Return a new PaymentIntent that nobody has confirmed."""
    key = new_id("pi")
    return {
        "id": key,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": capture_method,
        "client_secret": f"{key}_secret_{secrets.token_hex(12)}",
        "confirmation_method": "automatic",
        "created": now(),
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "next_action": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "status": "requires_payment_method",
    }


def charge(paid: Json, card: Card, *, captured: bool) -> Json:
    """Return the charge of one attempt to pay the intent *paid*; it failed if the card declines."""
    failed = card.code is not None
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": paid["amount"],
        "amount_captured": paid["amount"] if captured else 0,
        "amount_refunded": 0,
        "balance_transaction": None,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "captured": captured,
        "created": now(),
        "currency": paid["currency"],
        "customer": None,
        "disputed": False,
        "failure_code": card.code,
        "failure_message": card.message if failed else None,
        "livemode": False,
        "metadata": {},
        "outcome": {
            "network_status": "declined_by_network" if failed else "approved_by_network",
            "reason": card.decline_code if failed else None,
            "type": "issuer_declined" if failed else "authorized",
        },
        "paid": not failed,
        "payment_intent": paid["id"],
        "payment_method": paid["payment_method"],
        "payment_method_details": {
            "type": "card",
            "card": {"brand": card.brand, "country": "US", "exp_month": 12, "exp_year": 2034, "funding": "credit"}
            | {"last4": card.last4, "network": card.brand, "three_d_secure": None, "wallet": None},
        },
        "refunded": False,
        "status": "failed" if failed else "succeeded",
    }


def refund(of: Json, amount: int, reason: str | None, metadata: dict[str, str]) -> Json:
    """Return a refund of the charge *of* that has gone through."""
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": of["id"],
        "created": now(),
        "currency": of["currency"],
        "destination_details": {"type": "card", "card": {"reference_status": "pending", "type": "refund"}},
        "metadata": metadata,
        "payment_intent": of["payment_intent"],
        "reason": reason,
        "receipt_number": None,
        "status": "succeeded",
    }


def listing(url: str, data: list[Json], *, has_more: bool) -> Json:
    """Return one page of a list."""
    return {"object": "list", "url": url, "has_more": has_more, "data": data}
