from datetime import UTC, datetime
from uuid import UUID

from apps.contracts.base import Money
from apps.contracts.orders import OrderCancelled
from apps.contracts.users import EmailVerificationRequested, PasswordResetRequested, SecurityAlert
from apps.notifications import letters
from apps.notifications.domain import Category
from apps.notifications.sources import Channel

USER = UUID(int=7)
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CANCELLED = OrderCancelled(
    order_id=UUID(int=1),
    customer_id=USER,
    number="A-1",
    sequence=3,
    total=Money(amount=1, currency="EUR"),
    reason=None,
    cancelled_at=NOW,
)


def test_the_same_fact_read_again_is_the_same_letter() -> None:
    again = OrderCancelled.model_validate_json(CANCELLED.model_dump_json())
    first = letters.about_order(CANCELLED, "order-cancelled")
    assert letters.about_order(again, "order-cancelled") == first


def test_another_fact_or_another_template_is_another_letter() -> None:
    keys = {
        letters.about_order(CANCELLED, "order-cancelled").dedup_key,
        letters.about_order(CANCELLED, "order-confirmation").dedup_key,
        letters.about_order(CANCELLED.model_copy(update={"sequence": 4}), "order-cancelled").dedup_key,
    }
    assert len(keys) == 3


def test_a_code_goes_to_the_address_it_is_to_prove() -> None:
    fields = {"user_id": USER, "sequence": 1, "email": "new@example.org", "locale": "de", "token": "t0k3n"}
    letter = letters.code(EmailVerificationRequested.model_validate({**fields, "expires_at": NOW}), "verify-email")
    assert (letter.email, letter.locale, letter.category) == ("new@example.org", "de", Category.SECURITY)
    assert "t0k3n" in letter.data
    # wherever its owner wants to be told of other things
    assert letter.channels == (Channel.EMAIL,)


def test_a_code_for_a_password_goes_to_the_address_of_the_account_alone() -> None:
    fields = {"user_id": USER, "sequence": 1, "email": "ann@example.org", "locale": "de", "token": "t0k3n"}
    event = PasswordResetRequested.model_validate({**fields, "expires_at": NOW})
    letter = letters.code(event, "password-reset")
    assert (letter.template, letter.email, letter.channels) == ("password-reset", "ann@example.org", (Channel.EMAIL,))


def test_an_alert_about_a_changed_address_goes_to_the_one_before() -> None:
    event = SecurityAlert(user_id=USER, sequence=1, kind="email_changed", email="old@example.org", happened_at=NOW)
    letter = letters.alert(event)
    assert (letter.email, letter.channels) == ("old@example.org", (Channel.EMAIL,))


def test_an_alert_goes_to_the_address_we_know() -> None:
    letter = letters.alert(SecurityAlert(user_id=USER, sequence=1, kind="refresh_token_reused", happened_at=NOW))
    assert (letter.user_id, letter.email, letter.category) == (USER, None, Category.SECURITY)
