import itertools
from typing import Any

import pytest

from apps.orders import domain
from apps.orders.domain import (
    FULFILMENT_TRANSITIONS,
    NEW,
    ORDER_TRANSITIONS,
    PAYMENT_TRANSITIONS,
    FulfilmentStatus,
    IllegalTransitionError,
    OrderStatus,
    PaymentStatus,
    Standing,
    Trigger,
)

CANCELS = {Trigger.CUSTOMER_CANCELLED, Trigger.SUPPORT_CANCELLED}
EVERY_STANDING = [Standing(*axes) for axes in itertools.product(OrderStatus, PaymentStatus, FulfilmentStatus)]
EVERY_CASE = list(itertools.product(EVERY_STANDING, Trigger))

# Written out once more, by hand: rows are what was, columns what happened, "-" is nothing new.
ORDER_TABLE = """
             payment_captured customer_cancelled support_cancelled payment_declined payment_refunded refund_failed
placed       paid             cancelled          cancelled         -                -                -
paid         -                cancelled          cancelled         -                -                -
cancelled    -                -                  -                 -                -                -
"""
PAYMENT_TABLE = """
                payment_captured payment_declined payment_partly_refunded payment_refunded refund_failed
pending         captured         declined         partly_refunded         refunded         pending
declined        captured         declined         partly_refunded         refunded         declined
captured        -                -                partly_refunded         refunded         captured
partly_refunded -                -                partly_refunded         refunded         partly_refunded
refunded        -                -                -                       -                refunded
"""


def cells(table: str) -> list[tuple[str, str, str]]:
    header, *rows = [line.split() for line in table.strip().splitlines()]
    return [(row[0], trigger, cell) for row in rows for trigger, cell in zip(header, row[1:], strict=True)]


@pytest.mark.parametrize(("before", "trigger", "after"), cells(ORDER_TABLE))
def test_the_order_axis_is_as_drawn(before: str, trigger: str, after: str) -> None:
    assert (ORDER_TRANSITIONS.get((OrderStatus(before), Trigger(trigger))) or "-") == after


@pytest.mark.parametrize(("before", "trigger", "after"), cells(PAYMENT_TABLE))
def test_the_payment_axis_is_as_drawn(before: str, trigger: str, after: str) -> None:
    assert (PAYMENT_TRANSITIONS.get((PaymentStatus(before), Trigger(trigger))) or "-") == after


@pytest.mark.parametrize(("standing", "trigger"), EVERY_CASE)
def test_only_listed_transitions_are_possible(standing: Standing, trigger: Trigger) -> None:
    possible = trigger in CANCELS and standing.order in {OrderStatus.PLACED, OrderStatus.PAID}
    if not possible:
        with pytest.raises(IllegalTransitionError, match=standing.order):
            domain.advance(standing, trigger)
        return
    after = domain.advance(standing, trigger)
    assert after == Standing(OrderStatus.CANCELLED, standing.payment, standing.fulfilment)


@pytest.mark.parametrize(("standing", "trigger"), [case for case in EVERY_CASE if case[1] not in CANCELS])
def test_a_fact_is_settled_on_every_axis_or_is_no_news(standing: Standing, trigger: Trigger) -> None:
    after = domain.settle(standing, trigger)
    listed: list[Any] = [
        ORDER_TRANSITIONS.get((standing.order, trigger)),
        PAYMENT_TRANSITIONS.get((standing.payment, trigger)),
    ]
    if listed == [None, None]:
        assert after is None
        return
    assert after == Standing(listed[0] or standing.order, listed[1] or standing.payment, standing.fulfilment)


@pytest.mark.parametrize("standing", EVERY_STANDING)
def test_the_same_fact_again_changes_no_order(standing: Standing) -> None:
    for trigger in set(Trigger) - CANCELS:
        after = domain.settle(standing, trigger) or standing
        assert (domain.settle(after, trigger) or after) == after


def test_nothing_leads_out_of_cancelled() -> None:
    assert not [pair for pair in ORDER_TRANSITIONS if pair[0] is OrderStatus.CANCELLED]
    assert domain.allowed(Standing(OrderStatus.CANCELLED, NEW.payment, NEW.fulfilment)) == []


def test_only_what_is_unsent_can_be_cancelled() -> None:
    assert set(FULFILMENT_TRANSITIONS) == {(FulfilmentStatus.UNFULFILLED, cancel) for cancel in CANCELS}


@pytest.mark.parametrize(
    ("order", "expected"),
    [(OrderStatus.PLACED, ["cancelled", "paid"]), (OrderStatus.PAID, ["cancelled"]), (OrderStatus.CANCELLED, [])],
)
def test_an_order_says_where_it_can_go(order: OrderStatus, expected: list[str]) -> None:
    assert domain.allowed(Standing(order, NEW.payment, NEW.fulfilment)) == expected
