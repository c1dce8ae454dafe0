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


def test_a_processor_is_not_asked_for_what_it_has_no_token_of(routing: Callable[[str], Routing]) -> None:
    made = routing('[[route]]\nprovider = "checkout-com"\n[[route]]\nprovider = "stripe"')
    assert made.choose("EUR", uuid4(), "pm_card_visa", NONE) == Terms("stripe")
    assert made.choose("EUR", uuid4(), BOTH, NONE) == Terms("checkout-com")
    failed = frozenset({"checkout-com"})
    assert made.choose("EUR", uuid4(), CHECKOUT, failed).provider == "checkout-com", "there is no other way"


def test_without_routes_a_token_goes_to_the_one_that_made_it(tmp_path: Path) -> None:
    made = Routing(tmp_path / "none.toml", "automatic", ("stripe", "checkout-com"))
    assert made.choose("EUR", uuid4(), CHECKOUT, NONE) == Terms("checkout-com")
    assert made.choose("EUR", uuid4(), "anything at all", NONE) == Terms("stripe")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('provider = "stripe"\nshare = 2', "route.0.share: Input should be less than or equal to 1"),
        ('provider = "stripe"\ncurrencies = ["eur"]', "route.0.currencies.0: String should match pattern"),
        ('provider = "stripe"\ncapture = "later"', "route.0.capture: Input should be 'automatic' or 'manual'"),
        ('provder = "stripe"', "route.0.provider: Field required"),
        ('provider = "paypal"', "no provider paypal; there are stripe, checkout-com"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_field(
    routing: Callable[[str], Routing], wrong: str, said: str
) -> None:
    with pytest.raises(MisconfiguredError) as refused:
        routing(f"[[route]]\n{wrong}")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
