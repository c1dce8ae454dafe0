import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from apps.chassis.settings import MisconfiguredError
from apps.payments.routing import Routing
from apps.payments.terms import Terms

NONE: frozenset[str] = frozenset()
CHECKOUT = f"tok_{'visa'.ljust(26, 'x')}"
BOTH = f"pm_card_visa-{CHECKOUT}"


@pytest.fixture
def routing(tmp_path: Path) -> Callable[[str], Routing]:
    file = tmp_path / "routes.toml"
    made = Routing(file, "automatic", ("stripe", "checkout-com"))
    count = iter(range(1, 100))

    def write(content: str) -> Routing:
        file.write_text(content)
        os.utime(file, ns=(0, next(count)))
        made.load()
        return made

    return write


def test_without_a_file_everything_goes_to_the_first(tmp_path: Path) -> None:
    made = Routing(tmp_path / "none.toml", "manual", ("stripe", "checkout-com"))
    assert made.load() is False
    assert made.choose("EUR", uuid4(), BOTH, NONE) == Terms("stripe", manual=True)


def test_a_currency_goes_its_own_way(routing: Callable[[str], Routing]) -> None:
    made = routing('[[route]]\nprovider = "checkout-com"\ncurrencies = ["CHF"]\ncapture = "manual"')
    assert made.choose("CHF", uuid4(), BOTH, NONE) == Terms("checkout-com", manual=True)
    assert made.choose("EUR", uuid4(), BOTH, NONE) == Terms("stripe")


def test_a_share_is_kept_and_each_payment_stays_in_it(routing: Callable[[str], Routing]) -> None:
    made = routing('[[route]]\nprovider = "checkout-com"\nshare = 0.25\n[[route]]\nprovider = "stripe"')
    ids = [uuid4() for _ in range(4000)]
    chosen = [made.choose("EUR", each, BOTH, NONE).provider for each in ids]
    assert 0.2 < chosen.count("checkout-com") / len(ids) < 0.3
    assert chosen == [made.choose("EUR", each, BOTH, NONE).provider for each in ids]


def test_what_failed_at_one_goes_to_the_next_that_fits(routing: Callable[[str], Routing]) -> None:
    made = routing('[[route]]\nprovider = "stripe"\n[[route]]\nprovider = "checkout-com"\nshare = 0.0')
    assert made.choose("EUR", uuid4(), BOTH, frozenset({"stripe"})).provider == "checkout-com"
    assert made.choose("EUR", uuid4(), BOTH, frozenset({"stripe", "checkout-com"})).provider == "stripe"


@pytest.mark.parametrize("wrong", ["[[route]", '[[route]]\nprovider = "paypal"', "[[route]]\nprovider = 1", "a = 1"])
def test_a_wrong_file_is_named_and_what_was_in_force_stays(routing: Callable[[str], Routing], wrong: str) -> None:
    made = routing('[[route]]\nprovider = "checkout-com"')
    with pytest.raises(MisconfiguredError, match=r"routes\.toml"):
        routing(wrong)
    assert made.choose("EUR", uuid4(), BOTH, NONE).provider == "checkout-com"
