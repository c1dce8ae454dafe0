import pytest

from apps.payments.methods import token_for

CHECKOUT = "tok_" + "visa".ljust(26, "x")


@pytest.mark.parametrize(
    ("method", "stripe", "checkout"),
    [
        ("pm_card_visa", "pm_card_visa", None),
        ("pm_odd-looking-1", "pm_odd-looking-1", None),
        (CHECKOUT, None, CHECKOUT),
        (f"pm_card_visa-{CHECKOUT}", "pm_card_visa", CHECKOUT),
        (f"{CHECKOUT}-pm_card_visa", "pm_card_visa", CHECKOUT),
        ("src_" + "a2" * 13, None, "src_" + "a2" * 13),
        ("src_1A2b3C4d5E6f7G8h9I0j1K2l", "src_1A2b3C4d5E6f7G8h9I0j1K2l", None),
        ("", None, None),
    ],
)
def test_each_processor_is_shown_its_own_token_and_no_other(
    method: str, stripe: str | None, checkout: str | None
) -> None:
    assert token_for("stripe", method) == stripe
    assert token_for("checkout-com", method) == checkout
