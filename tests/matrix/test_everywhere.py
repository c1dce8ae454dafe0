"""The suite that holds whatever plays the roles: it is the embedded system's own, unchanged."""

import pytest

from tests.e2e.test_flow import (
    test_a_declined_card_leaves_the_order_unpaid_and_says_why,
    test_an_account_is_verified_by_the_mail_it_gets,
    test_an_order_is_placed_paid_and_confirmed_by_mail,
    test_cancelling_a_paid_order_refunds_it,
    test_limited_stock_is_sold_once,
    test_the_processor_has_one_charge_of_the_orders_amount,
    test_the_same_idempotency_key_makes_one_order,
)
from tests.matrix.columns import Column
from tests.support.system import System

__all__ = [
    "test_a_declined_card_leaves_the_order_unpaid_and_says_why",
    "test_an_account_is_verified_by_the_mail_it_gets",
    "test_an_order_is_placed_paid_and_confirmed_by_mail",
    "test_cancelling_a_paid_order_refunds_it",
    "test_limited_stock_is_sold_once",
    "test_the_processor_has_one_charge_of_the_orders_amount",
    "test_the_same_idempotency_key_makes_one_order",
]
pytestmark = pytest.mark.usefixtures("swapped")


def test_the_tour_is_walked_to_its_end(system: System) -> None:
    assert "Done: ordered, paid, confirmed by mail, cancelled and refunded." in system.sidecart("demo").stdout


def test_every_sidecar_concerned_uses_the_products(system: System, swapped: Column) -> None:
    shown = system.sidecart("profiles").stdout
    in_use = {line.split()[0]: line.split()[3] for line in shown.splitlines() if " * " in line}
    for word in [word for word in swapped.words if "=" in word]:
        role, _, product = word.partition("=")
        assert in_use[role].endswith(product), shown
