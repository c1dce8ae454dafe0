"""What may be asked of a payment: money now or held, taken later, let go, given back."""

import re
from typing import Any, Final

from stack.stand_ins.card_processor_2 import settling
from stack.stand_ins.card_processor_2.api import Call, Refused
from stack.stand_ins.card_processor_2.book import Json, new_id, now
from stack.stand_ins.card_processor_2.cards import CARDS, Card

_HIGHEST: Final = 999_999_999
_TENS_ONLY: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_HUNDREDS_ONLY: Final = frozenset({"CLP"})
_TEXT: Final = 80


def request(call: Call) -> tuple[int, Json]:
    """`POST /payments`: a decline is an answer like another (201), a customer who must confirm a 202."""
    body = call.body
    amount, currency, used = _amount(body), _currency(body), _card(body)
    _divisible(amount, currency)
    made = _new(call, amount + (1 if call.hit.tamper_amount else 0), currency, used)
    call.book.add(made)
    secured = isinstance(body.get("3ds"), dict) and body["3ds"].get("enabled") is True
    if used.asks_customer and secured:
        made["status"] = "Pending"
        made["_links"]["redirect"] = {"href": f"{call.origin}/3ds/{made['id']}?secret={made['_secret']}"}
        call.book.save(made)
        return 202, {**shown(made, []), "3ds": {"downgraded": False, "enrolled": "Y"}}
    return 201, authorise(call, made, used.code)


def authorise(call: Call, made: Json, code: str) -> Json:
    """Ask the bank; what is to be taken at once is taken a moment later."""
    action = call.book.act(made, "Authorization", made["amount"], reference=made["reference"])
    call.book.settle(action, code)
    approved = action["approved"]
    made |= {"status": "Authorized" if approved else "Declined", "approved": approved}
    made["_links"].pop("redirect", None)
    if approved:
        # what is taken at once can be neither taken nor let go by call
        free = 0 if made["_capture"] else made["amount"]
        made["balances"] |= {
            "total_authorized": made["amount"],
            "available_to_capture": free,
            "available_to_void": free,
        }
    call.book.save(made)
    call.events.emit("payment_approved" if approved else "payment_declined", made, action, call.hit)
    if approved and made["_capture"]:
        settling.later(call.book, made, call.book.act(made, "Capture", made["amount"], reference=made["reference"]))
        call.events.wake.set()
    told = {name: action[name] for name in ("approved", "response_code", "response_summary", "processed_on")}
    return {**shown(made, []), "action_id": action["id"], **told}


def capture(call: Call) -> tuple[int, Json]:
    """`POST /payments/{id}/captures`: accepted, and taken a moment later."""
    return _ask(call, "Capture", "available_to_capture", "capture_value_greater_than_authorized")


def void(call: Call) -> tuple[int, Json]:
    """`POST /payments/{id}/voids`: accepted, and let go a moment later."""
    return _ask(call, "Void", "available_to_void", "payment_not_voidable")


def refund(call: Call) -> tuple[int, Json]:
    """`POST /payments/{id}/refunds`: accepted, and given back a moment later, never more than was taken."""
    return _ask(call, "Refund", "available_to_refund", "refund_amount_exceeds_balance")


def _ask(call: Call, kind: str, balance: str, too_much: str) -> tuple[int, Json]:
    made = call.payment()
    left = made["balances"][balance]
    if left <= 0:
        # not in a state for it
        raise Refused(403)
    amount = _amount(call.body) if "amount" in call.body else left
    _divisible(amount, made["currency"])
    if amount > left:
        raise Refused(422, too_much)
    if kind == "Refund" and call.hit.tamper_amount:
        # downwards where possible, so that even a wrong record stays within what was captured
        amount += -1 if amount > 1 or left == 1 else 1
    labels = {"reference": _reference(call.body), "metadata": _metadata(call.body)}
    action = call.book.act(made, kind, amount, **labels)
    made["balances"][balance] -= amount
    if kind == "Capture":
        made["balances"] |= {"available_to_capture": 0, "available_to_void": 0}
    call.book.save(made)
    settling.later(call.book, made, action)
    call.events.wake.set()
    links = {"payment": {"href": f"{call.origin}/payments/{made['id']}"}}
    return 202, {"action_id": action["id"], "reference": labels["reference"], "_links": links}


def shown(made: Json, actions: list[Json]) -> Json:
    """Return a payment as the API shows it."""
    public = {name: value for name, value in made.items() if not name.startswith("_") or name == "_links"}
    names = ("id", "type", "response_code", "response_summary")
    brief = [{name: each[name] for name in names if name in each} for each in reversed(actions)]
    return {**public, "actions": brief} if actions else public


def _new(call: Call, amount: int, currency: str, used: Card) -> Json:
    key, body = new_id("pay"), call.body
    href = f"{call.origin}/payments/{key}"
    sums = ("authorized", "voided", "captured", "refunded")
    nothing = {f"total_{each}": 0 for each in sums} | {
        f"available_to_{each}": 0 for each in ("void", "capture", "refund")
    }
    return {
        "id": key,
        "requested_on": now(),
        "source": {"id": new_id("src"), "type": "card", "scheme": used.scheme, "last4": used.last4},
        "amount": amount,
        "currency": currency,
        "payment_type": "Regular",
        "reference": _reference(body),
        "status": "Requested",
        "approved": False,
        "balances": nothing,
        "metadata": _metadata(body),
        "_links": {"self": {"href": href}, "actions": {"href": f"{href}/actions"}},
        "_capture": body.get("capture", True) is not False,
        "_token": str(body["source"].get("token") or body["source"].get("id")),
        "_back": [str(body.get(name) or "") for name in ("success_url", "failure_url")],
        "_secret": new_id("sec"),
    }


def card_of(made: Json) -> Card:
    """Return the card that a payment is made with."""
    return CARDS[made["_token"]]


def _amount(body: Json) -> int:
    amount: Any = body.get("amount")
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 < amount <= _HIGHEST:
        raise Refused(422, "amount_invalid")
    return amount


def _divisible(amount: int, currency: str) -> None:
    unit = 10 if currency in _TENS_ONLY else 100 if currency in _HUNDREDS_ONLY else 1
    if amount % unit:
        raise Refused(422, "amount_invalid")


def _currency(body: Json) -> str:
    currency = body.get("currency")
    if not isinstance(currency, str) or not re.fullmatch("[A-Z]{3}", currency):
        raise Refused(422, "currency_invalid")
    return currency


def _card(body: Json) -> Card:
    source = body.get("source")
    named = (source.get("token") or source.get("id")) if isinstance(source, dict) else None
    if not isinstance(named, str) or named not in CARDS:
        # what is no token is not repeated, it might be a card number
        raise Refused(422, "token_invalid" if named else "source_required")
    return CARDS[named]


def _reference(body: Json) -> str | None:
    reference = body.get("reference")
    if reference is not None and not (isinstance(reference, str) and len(reference) <= _TEXT):
        raise Refused(422, "reference_invalid")
    return reference


def _metadata(body: Json) -> Json:
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str | int | bool) for value in metadata.values()):
        raise Refused(422, "metadata_invalid")
    return metadata
