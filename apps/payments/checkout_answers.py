"""Checkout.com's payments, actions and events in our words."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from apps.payments import checkout_amounts as amounts
from apps.payments.checkout_declines import normalise
from apps.payments.domain import RefundState
from apps.payments.methods import CHECKOUT
from apps.payments.provider import (
    Accepted,
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

_INVALID: Final = {"token_": "method_not_valid", "source_": "method_not_valid", "amount_": "amount_not_accepted"}
_TAKEN: Final = ("Captured", "Partially Captured", "Refunded", "Partially Refunded", "Paid")
_LISTED: Final = {
    **dict.fromkeys(_TAKEN, "captured"),
    "Authorized": "authorised",
    "Pending": "requires_action",
    "Declined": "declined",
    **dict.fromkeys(("Voided", "Canceled", "Expired"), "released"),
}

Json = dict[str, Any]


def charge(  # noqa: PLR0911  # one for each status
    payment: Json, *, manual: bool
) -> Captured | Authorised | ActionRequired | Accepted | Released | Declined | Lost:
    """Read a payment, as it is answered or shown; one whose money is to be taken at once is not done while held."""
    raw, key = orjson.dumps(payment), str(payment["id"])
    match payment["status"]:
        case status if status in _TAKEN:
            return Captured(key, *_money(payment, "total_captured"), _card(payment), raw)
        case "Authorized" if refused := _refused_capture(payment):
            return Declined(normalise(refused), key, _card(payment), raw)
        case "Authorized" if manual:
            return Authorised(key, *_held(payment), _card(payment), raw)
        case "Authorized":
            return Accepted(key, raw)
        case "Pending" | "Requested":
            url = ((payment.get("_links") or {}).get("redirect") or {}).get("href")
            return ActionRequired(key, str(url), raw) if url else Accepted(key, raw)
        case "Declined":
            return Declined(normalise(_code(payment)), key, _card(payment), raw)
        case "Voided" | "Canceled" | "Expired":
            return Released(key, raw)
        case other:
            return Lost(f"the payment is {other}")


def _money(payment: Json, balance: str) -> tuple[int, str]:
    currency = str(payment["currency"])
    return amounts.ours(int(payment["balances"][balance]), currency), currency


def _held(payment: Json) -> tuple[int, str]:
    currency = str(payment["currency"])
    return amounts.ours(int(payment["amount"]), currency), currency


def _refused_capture(payment: Json) -> str | None:
    """Return the code with which the newest capture was declined, if it was."""
    captures = [each for each in payment.get("actions") or [] if each.get("type") == "Capture"]
    code = str(captures[-1].get("response_code") or "") if captures else ""
    return code if code and not code.startswith("10") else None


def _code(payment: Json) -> str | None:
    """Return why a payment was declined: an answer says so itself, a payment shown has it in its actions."""
    tried = [each.get("response_code") for each in payment.get("actions") or []]
    return payment.get("response_code") or next((code for code in reversed(tried) if code), None)


def invalid_code(told: Json) -> str:
    """Return our code for a request that the processor does not take, by the first of its reasons."""
    code = str(next(iter(told.get("error_codes") or []), ""))
    return next((ours for start, ours in _INVALID.items() if code.startswith(start)), "declined")


def refund_among(actions: Sequence[Json], reference: str) -> Json | None:
    """Return the refund that carries our reference."""
    ours = (each for each in actions if each.get("type") == "Refund" and each.get("reference") == reference)
    return next(ours, None)


def refund(action: Json, currency: str) -> Returned:
    """Read a refund among a payment's actions."""
    amount = amounts.ours(int(action["amount"]), currency)
    return Returned(str(action["id"]), amount, currency, _refund_state(action), orjson.dumps(action))


def _refund_state(action: Json) -> RefundState:
    match action.get("approved"):
        case True:
            return RefundState.SUCCEEDED
        case False:
            return RefundState.FAILED
        case _:
            return RefundState.PENDING


def listed(payment: Json) -> Listed:
    """Read a payment as a line of the processor's books."""
    taken, currency = _money(payment, "total_captured") if payment.get("balances") else (0, str(payment["currency"]))
    status = _LISTED.get(payment["status"], "unknown")
    return Listed(*_about(payment, payment), str(payment["id"]), taken, currency, status)


def listed_refund(payment: Json, action: Json) -> Listed:
    """Read one of a payment's refunds as a line of the processor's books."""
    currency = str(payment["currency"])
    amount = amounts.ours(int(action["amount"]), currency)
    return Listed(*_about(payment, action), str(action["id"]), amount, currency, str(_refund_state(action)))


def _about(payment: Json, thing: Json) -> tuple[str, UUID | None]:
    return str(thing.get("reference", "")), _uuid((payment.get("metadata") or {}).get("payment_id"))


def notice(event: Json) -> Notice:
    """Read an event; where it names no payment of ours it is kept and leads nowhere."""
    thing: Json = event.get("data") or {}
    label = (thing.get("metadata") or {}).get("payment_id")
    named = str(thing.get("id") or "")
    payment = named if named.startswith("pay_") else None
    # ids of events are unique with whoever made them: the name keeps them apart from another processor's
    return Notice(f"{CHECKOUT}:{event['id']}", str(event["type"]), _uuid(label), payment)


def _card(payment: Json) -> Card | None:
    source: Json = payment.get("source") or {}
    if "scheme" not in source or "last4" not in source:
        return None
    return Card(str(source["scheme"]).lower(), str(source["last4"]))


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
