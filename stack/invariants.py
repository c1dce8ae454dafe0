"""What must hold of orders, payments and the books once they have come to rest; pure, and read off the public API.

Tests hold the same of systems that they kill, and more: they know what they asked for (`tests/support/invariants.py`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

Json = dict[str, Any]
LEFT: Final = {"cancelled", "expired"}
"""Statuses in which an order holds no stock and keeps no money."""
WAITING: Final = {"pending", "unknown"}
"""What is known of the money while an outcome has still to come."""


def standing(order: Json) -> str:
    """Return where an order is, for people."""
    return f"{order['status']}/{order['payment_status']}"


def returned(order: Json) -> int:
    """Return what is to be paid back for what came back."""
    return sum(int(each["refund"]["amount"]) for each in order.get("returns", ()))


def due(order: Json) -> int:
    """Return what is to be kept for an order: its price without what came back, once it was paid."""
    if order["status"] in LEFT | {"placed"}:
        return 0
    return int(order["total"]["amount"]) - returned(order)


def goods(order: Json) -> str:
    """Return where a paid order is by what of it was sent, has arrived and has come back."""
    lines = order["lines"]
    wanted, shipped, back = (sum(line.get(what, 0) for line in lines) for what in ("quantity", "shipped", "returned"))
    arrived = [bool(parcel["delivered_at"]) for parcel in order.get("shipments", ())]
    if back:
        return "returned" if back == wanted else "partly_returned"
    if shipped < wanted:
        return "partly_shipped" if shipped else "paid"
    return "delivered" if all(arrived) else "partly_delivered" if any(arrived) else "shipped"


def parcels(order: Json) -> Iterator[str]:
    """Hold an order's status against its parcels and returns."""
    if order["status"] not in LEFT | {"placed"} and order["status"] != (there := goods(order)):
        yield f"{order['status']}, but by its parcels and returns it is {there}"


def waiting(order: Json) -> Iterator[str]:
    """Name an order that waits for an outcome of its payment."""
    if order["status"] == "placed" and order["payment_status"] in WAITING:
        yield f"stuck: {standing(order)}"


def agreement(order: Json, payments: list[Json]) -> Iterator[str]:
    """Hold an order against its one payment: both say alike what went back."""
    if len(payments) != 1:
        yield f"{len(payments)} payments are recorded"
    refunded = sum(payment["refunded"]["amount"] for payment in payments)
    if order["refunded"]["amount"] != refunded:
        yield f"shows {order['refunded']['amount']} as refunded, payments {refunded}"


def kept(order: Json, payments: list[Json]) -> Iterator[str]:
    """Hold what is kept against what is due: never more, and less only where staff took in part or gave back."""
    captured = sum(payment["captured"]["amount"] for payment in payments)
    refunded = sum(payment["refunded"]["amount"] for payment in payments)
    attempts = [attempt for payment in payments for attempt in payment["attempts"] if attempt["status"] == "captured"]
    in_part = any(attempt["captured"]["amount"] < attempt["amount"]["amount"] for attempt in attempts)
    have, wanted = captured - refunded, due(order)
    if have > wanted or (have < wanted and refunded <= returned(order) and not in_part):
        yield f"{standing(order)}, {wanted} is due, and {captured} was captured and {refunded} refunded"


def booked(payment: Json, entries: list[Json]) -> Iterator[str]:
    """Hold a payment's entries against nought and against its record."""
    sides: Counter[int] = Counter()
    for entry in entries:
        sides[entry["transaction"]] += entry["debit"] - entry["credit"]
    for number in (number for number, rest in sides.items() if rest):
        yield f"transaction {number} of payment {payment['id']} does not balance"
    in_books = sum(entry["credit"] - entry["debit"] for entry in entries if entry["account"] == "customers")
    on_record = payment["captured"]["amount"] - payment["refunded"]["amount"]
    if in_books != on_record:
        yield f"payment {payment['id']} says {on_record}, its entries {in_books}"


def balanced(accounts: Iterable[Json]) -> Iterator[str]:
    """Hold the balances of each currency against nought."""
    sums: Counter[str] = Counter()
    for account in accounts:
        sums[account["currency"]] += account["balance"]
    yield from (f"the accounts in {code} come to {rest}" for code, rest in sums.items() if rest)


def counted(product: Json) -> Iterator[str]:
    """Name an article with less than nothing in stock."""
    if product["stock"] is not None and product["stock"] < 0:
        yield f"{product['sku']}: {product['stock']} in stock"


def reconciled(report: Json) -> Iterator[str]:
    """Name what the processors' own records say otherwise than ours."""
    for kind in ("missing_here", "missing_there", "differing"):
        for found in report[kind]:
            what = f"{found['field']} is {found['ours']}, there {found['theirs']}" if "field" in found else kind
            yield f"{report['day']}, {found.get('provider', '')} {found.get('reference', '')}: {what}"


def undecided(payments: Iterable[Json]) -> Iterator[str]:
    """Name payments that wait for the processor's word, or for a person's."""
    for payment in payments:
        if payment["status"] in {"processing", "unknown", "conflicted"}:
            yield f"payment {payment['id']} is {payment['status']}"
