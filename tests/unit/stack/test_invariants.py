"""What `sidecart audit` takes for wrong, and what it does not."""

from typing import Any

import pytest

from stack import invariants

EUR = "EUR"


def money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": EUR}


def order(status: str = "paid", payment_status: str = "captured", **fields: Any) -> dict[str, Any]:
    line = {"sku": "tea", "quantity": 2, "shipped": 0, "returned": 0}
    fixed = {"id": "o", "number": "1", "total": money(200), "refunded": money(0), "lines": [line]}
    return {**fixed, "status": status, "payment_status": payment_status, **fields}


def payment(captured: int, refunded: int = 0, of: int = 200, status: str = "succeeded") -> dict[str, Any]:
    attempt = {"status": "captured", "amount": money(of), "captured": money(captured)}
    return {
        "id": "p", "status": status, "captured": money(captured), "refunded": money(refunded), "attempts": [attempt]
    }  # fmt: skip


def entry(account: str, amount: int, transaction: int = 1) -> dict[str, Any]:
    return {
        "account": account, "transaction": transaction, "debit": max(amount, 0), "credit": max(-amount, 0)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ordered", "paid", "fits"),
    [
        (order(), payment(200), True),
        (order(), payment(400), False),  # twice
        (order(), payment(100, of=100), False),  # something is missing
        (order(), payment(100), True),  # staff took a part of it
        (order(payment_status="partly_refunded"), payment(200, 50), True),  # staff gave back a part of it
        (order("cancelled", "refunded"), payment(200, 200), True),
        (order("cancelled"), payment(200), False),
        (order("placed", "declined"), payment(0), True),
        (order("placed", "pending"), payment(200), False),
        (order("returned", "refunded", returns=[{"refund": money(200)}]), payment(200, 200), True),
        (order("returned", "captured", returns=[{"refund": money(200)}]), payment(200), False),
    ],
)
def test_what_is_kept_is_what_is_due(ordered: dict[str, Any], paid: dict[str, Any], *, fits: bool) -> None:
    assert (list(invariants.kept(ordered, [paid])) == []) is fits


def test_an_order_has_one_payment_and_both_say_what_went_back() -> None:
    assert list(invariants.agreement(order(), [payment(200)])) == []
    assert len(list(invariants.agreement(order(), []))) == 1
    assert len(list(invariants.agreement(order(), [payment(200, 50)]))) == 1


def test_entries_balance_and_come_to_the_record() -> None:
    both = [entry("processor:stripe", 200), entry("customers", -200)]
    back = [entry("processor:stripe", -50, 2), entry("customers", 50, 2)]
    assert list(invariants.booked(payment(200, 50), both + back)) == []
    assert len(list(invariants.booked(payment(200), both + back))) == 1
    assert len(list(invariants.booked(payment(200), [both[1]]))) == 1
    assert list(invariants.balanced([{"currency": EUR, "balance": 5}, {"currency": EUR, "balance": -5}])) == []
    assert len(list(invariants.balanced([{"currency": EUR, "balance": 5}, {"currency": "JPY", "balance": -5}]))) == 2


def test_what_waits_is_named() -> None:
    assert list(invariants.waiting(order())) == []
    assert len(list(invariants.waiting(order("placed", "unknown")))) == 1
    assert list(invariants.undecided([payment(200)])) == []
    assert len(list(invariants.undecided([payment(200, status="conflicted")]))) == 1


def test_stock_below_nought_and_each_differing_field_are_named() -> None:
    assert list(invariants.counted({"sku": "tea", "stock": None})) == []
    assert list(invariants.counted({"sku": "tea", "stock": -1})) == ["tea: -1 in stock"]
    about = {"provider": "stripe", "reference": "r"}
    differs = {**about, "field": "amount", "ours": 1, "theirs": 2}
    report = {"day": "2026-11-27", "missing_here": [about], "missing_there": [], "differing": [differs]}
    assert list(invariants.reconciled(report)) == [
        "2026-11-27, stripe r: missing_here", "2026-11-27, stripe r: amount is 1, there 2"
    ]  # fmt: skip
