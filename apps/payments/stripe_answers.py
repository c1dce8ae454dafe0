"""Stripe's objects and errors in our words."""

from typing import Any, Final
from uuid import UUID

import orjson
from stripe import InvalidRequestError, StripeError

from apps.payments.declines import normalise
from apps.payments.domain import RefundState
from apps.payments.provider import (
    ActionRequired,
    Authorised,
    Captured,
    Card,
    Declined,
    Listed,
    Lost,
    Notice,
    Released,
    Returned,
)

_BY_PARAM: Final = {"payment_method": "method_not_valid", "amount": "amount_not_accepted"}
_REFUND_STATES: Final = {
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
_LISTED: Final = {
    "succeeded": "captured",
    "requires_capture": "authorised",
    "requires_action": "requires_action",
    "requires_payment_method": "declined",
    "canceled": "released",
}

Json = dict[str, Any]


def charge(intent: Json) -> Captured | Authorised | ActionRequired | Released | Declined | Lost:
    """Read a PaymentIntent; one that is still under way says nothing yet."""
    raw, key = orjson.dumps(intent), intent["id"]
    match intent["status"]:
        case "succeeded":
            return Captured(key, *_money(intent, "amount_received"), _card(intent.get("latest_charge")), raw)
        case "requires_capture":
            return Authorised(key, *_money(intent, "amount_capturable"), _card(intent.get("latest_charge")), raw)
        case "canceled":
            return Released(key, raw)
        case "requires_payment_method" | "requires_action" | "requires_confirmation":
            return _undecided(intent, raw)
        case other:
            return Lost(f"the intent is {other}")


def _undecided(intent: Json, raw: bytes) -> ActionRequired | Declined:
    redirect: Json = (intent.get("next_action") or {}).get("redirect_to_url") or {}
    if intent["status"] == "requires_action" and redirect.get("url"):
        return ActionRequired(intent["id"], str(redirect["url"]), raw)
    if intent["status"] != "requires_payment_method":
        return Declined("authentication_required", intent["id"], None, raw)
    error = intent.get("last_payment_error") or {}
    code = normalise(error.get("decline_code"), error.get("code"))
    return Declined(code, intent["id"], _card(intent.get("latest_charge")), raw)


def _money(intent: Json, field: str) -> tuple[int, str]:
    return intent[field], intent["currency"].upper()


def declined(error: StripeError) -> Declined:
    """Read a card error: the intent that it left behind is in it."""
    told = _told(error)
    intent: Json = told.get("payment_intent") or {}
    code = normalise(told.get("decline_code"), told.get("code"))
    return Declined(code, intent.get("id"), _shown(told.get("payment_method")), body(error))


def invalid_code(error: InvalidRequestError) -> str:
    """Return our code for a request that the processor does not take."""
    return _BY_PARAM.get(str(error.param), "declined")


def refund(made: Json) -> Returned:
    """Read a Refund; what is neither done nor failed is pending."""
    state = _REFUND_STATES.get(made["status"], RefundState.PENDING)
    return Returned(made["id"], made["amount"], made["currency"].upper(), state, orjson.dumps(made))


def listed(thing: Json) -> Listed:
    """Read a PaymentIntent or a Refund as a line of the processor's books."""
    labels: Json = thing.get("metadata") or {}
    about = str(labels.get("reference", "")), _uuid(labels.get("payment_id")), str(thing["id"])
    currency = thing["currency"].upper()
    if thing["object"] == "refund":
        return Listed(*about, thing["amount"], currency, str(_REFUND_STATES.get(thing["status"], RefundState.PENDING)))
    return Listed(*about, thing["amount_received"], currency, _LISTED.get(thing["status"], "unknown"))


def notice(event: Json) -> Notice:
    """Read an event; where it names no payment of ours it is kept and leads nowhere."""
    thing: Json = event["data"]["object"]
    intent = thing["id"] if thing.get("object") == "payment_intent" else thing.get("payment_intent")
    label = (thing.get("metadata") or {}).get("payment_id")
    return Notice(str(event["id"]), str(event["type"]), _uuid(label), str(intent) if intent else None)


def body(error: StripeError) -> bytes:
    """Return the answer as it came."""
    told = error.http_body
    return told if isinstance(told, bytes) else (told or "").encode()


def _told(error: StripeError) -> Json:
    whole: Any = error.json_body
    told: Json = whole.get("error", {}) if isinstance(whole, dict) else {}
    return told


def _card(latest_charge: Any) -> Card | None:
    if not isinstance(latest_charge, dict):
        return None
    return _shown(latest_charge.get("payment_method_details"))


def _shown(method: Any) -> Card | None:
    card = (method.get("card") or {}) if isinstance(method, dict) else {}
    return Card(str(card["brand"]), str(card["last4"])) if "brand" in card and "last4" in card else None


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
