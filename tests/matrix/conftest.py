import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import customer, shop, sku
from tests.matrix.columns import Column, columns, expected
from tests.support.load import buyers
from tests.support.shop import Customer, Shop
from tests.support.system import System

__all__ = ["customer", "shop", "sku"]
CUSTOMERS = 6
PROVIDERS = {"SIDECART_PROVIDERS": "stand-ins", "NOTIFICATIONS_PUSH_TOPIC": "example.sidecart.shop"}
ABOUT_MESSAGES = {
    "test_an_order_is_placed_paid_and_confirmed_by_mail",
    "test_a_declined_card_leaves_the_order_unpaid_and_says_why",
    "test_an_account_is_verified_by_the_mail_it_gets",
    "test_the_tour_is_walked_to_its_end",
    "test_every_sidecar_concerned_uses_the_products",
    "test_a_reader_hears_by_every_way_that_was_chosen",
    "test_what_a_provider_refuses_for_now_arrives_once",
}
ABOUT_PROVIDERS = {"test_what_a_provider_refuses_for_now_arrives_once"}
WORDS = {"passed": "passed", "failed": "FAILED", "skipped": "not run"}


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    """One system, whose roles are swapped from column to column; providers are the stand-ins that go by their names."""
    with System(
        env={"SIDECART_PROVIDERS": "stand-ins", "NOTIFICATIONS_PUSH_TOPIC": "example.sidecart.shop"}
    ) as running:
        yield running


@pytest.fixture(scope="session", params=columns(), ids=lambda column: column.name)
def swapped(request: pytest.FixtureRequest, system: System) -> Column:
    """The system with one column's products in their roles; what cannot be had here is not run, and says why."""
    column: Column = request.param
    if (why := column.missing) is not None:
        if column.name in expected():
            pytest.fail(f"{column.name} is expected on this machine: {why}")
        pytest.skip(why)
    system.sidecart("swap", "embedded", *column.words)
    system.records = column.records
    return column


@pytest.fixture(scope="session")
def seconds() -> float:
    """How long orders come in before, between and after two swaps; more for a longer look."""
    return float(os.environ.get("SIDECART_MATRIX_SECONDS", "4"))


@pytest.fixture(scope="session")
async def customers(system: System) -> list[Customer]:
    async with Shop(system) as client:
        return await buyers(client, CUSTOMERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/matrix/" in item.path.as_posix():
            item.add_marker(pytest.mark.matrix)
    items[:] = [item for item in items if _touches(item)]


def _touches(item: pytest.Item) -> bool:
    """Tell whether a test says anything about its column: who carries mail changes nothing about stock."""
    call: Any = getattr(item, "callspec", None)
    column = call and call.params.get("swapped")
    if not isinstance(column, Column):
        return True
    name = item.name.partition("[")[0]
    return name in ABOUT_MESSAGES if column.records else name not in ABOUT_PROVIDERS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table: column x test, passed, failed, or not run and why."""
    cells: dict[str, Counter[str]] = {}
    reasons: dict[str, str] = {}
    for outcome in WORDS:
        for report in terminalreporter.stats.get(outcome, []) + (
            terminalreporter.stats.get("error", []) if outcome == "failed" else []
        ):
            name, _, column = report.nodeid.rpartition("::")[2].partition("[")
            cells.setdefault(column.rstrip("]") or name, Counter())[outcome] += 1
            if outcome == "skipped":
                reasons[column.rstrip("]")] = str(report.longrepr[2])
    terminalreporter.section("matrix")
    for column, counts in cells.items():
        said = ", ".join(f"{count} {WORDS[outcome]}" for outcome, count in counts.items())
        terminalreporter.write_line(f"{column:<45} {said}" + (f": {reasons[column]}" if column in reasons else ""))
