"""What payments relies on, of every processor that it speaks with."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.payments.domain import RefundState
from apps.payments.provider import (
    Accepted,
    ActionRequired,
    Authorised,
    Busy,
    Captured,
    Card,
    Declined,
    Listed,
    Lost,
    Missing,
    Refused,
    Released,
    Returned,
)
from tests.unit.payments.conftest import speaking
from tests.unit.payments.counters import Counter, decided, named, until

pytestmark = pytest.mark.enable_socket


async def test_a_charge_takes_the_money_once_however_often_it_is_made(counter: Counter) -> None:
    charge = counter.charge(amount=4321)
    first, again = await counter.outcome(charge), await counter.outcome(charge)
    assert isinstance(first, Captured)
    assert (first.amount, first.currency, first.card) == (4321, "EUR", Card("mastercard", "4444"))
    assert isinstance(again, Captured)
    assert again.provider_id == first.provider_id
    found = await counter.provider.find(charge)
    assert isinstance(found, Captured), "by our reference alone"
    assert found.provider_id == first.provider_id


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("insufficient", "insufficient_funds"),
        ("expired", "card_expired"),
        ("stolen", "declined"),
        ("trouble", "try_again"),
        ("nobody's", "method_not_valid"),
    ],
)
async def test_a_decline_says_why_in_our_words(counter: Counter, card: str, code: str) -> None:
    charge = counter.charge(card)
    outcome = await counter.outcome(charge)
    assert isinstance(outcome, Declined)
    assert outcome.code == code
    found = await counter.provider.find(charge)
    assert isinstance(found, Missing if code == "method_not_valid" else Declined)
    assert getattr(found, "code", code) == code


async def test_held_money_is_taken_in_part_and_the_rest_let_go(counter: Counter) -> None:
    charge = counter.charge(manual=True)
    held = await counter.outcome(charge)
    assert isinstance(held, Authorised)
    assert (held.amount, held.currency) == (1999, "EUR")
    charge = named(charge, held)
    taken = await until(lambda: counter.provider.capture(charge, 1500), decided)
    again = await counter.provider.capture(charge, 1500)
    assert isinstance(taken, Captured)
    assert isinstance(again, Captured)
    assert taken.amount == again.amount == 1500
    after = await counter.provider.void(charge)
    assert isinstance(after, Captured), "what is taken cannot be let go, and is told so"


async def test_held_money_is_let_go(counter: Counter) -> None:
    charge = counter.charge(manual=True)
    charge = named(charge, await counter.outcome(charge))
    released = await until(lambda: counter.provider.void(charge), decided)
    assert isinstance(released, Released)
    assert isinstance(await counter.provider.void(charge), Released)
    assert isinstance(await counter.provider.find(charge), Released)


@pytest.mark.parametrize("pressed", ["agree", "refuse"])
async def test_a_customer_who_must_confirm_is_sent_to_the_bank(counter: Counter, pressed: str) -> None:
    charge = counter.charge("confirm")
    asked = await counter.outcome(charge)
    assert isinstance(asked, ActionRequired)
    charge = named(charge, asked)
    assert isinstance(await counter.provider.find(charge), ActionRequired)
    await counter.press(asked.url, pressed)
    told = await counter.decided(charge, await counter.provider.find(charge))
    assert isinstance(told, Captured if pressed == "agree" else Declined)
    assert getattr(told, "code", "authentication_required") == "authentication_required"


async def test_parts_go_back_once_each_and_never_more_than_was_taken(counter: Counter) -> None:
    charge = await counter.taken(amount=1999)
    first = counter.refund(charge, 500)
    for _ in range(2):
        gone = await counter.gone(first)
        assert isinstance(gone, Returned)
        assert (gone.amount, gone.currency, gone.state) == (500, "EUR", RefundState.SUCCEEDED)
    assert isinstance(await counter.provider.refund(counter.refund(charge, 1500)), Refused)
    rest = await counter.gone(counter.refund(charge, 1499))
    assert isinstance(rest, Returned)
    assert rest.state is RefundState.SUCCEEDED
    found = await counter.provider.find_refund(first)
    assert isinstance(found, Returned), "by our reference alone"
    assert found.amount == 500
    assert await counter.provider.find_refund(counter.refund(charge, 1)) == Missing()


async def test_a_refund_may_fail_after_it_was_accepted(counter: Counter) -> None:
    charge = await counter.taken("refund fails")
    refund = counter.refund(charge, 700)
    said = await counter.provider.refund(refund)
    assert isinstance(said, Returned)
    assert said.state is not RefundState.FAILED

    async def failed() -> bool:
        found = await counter.provider.find_refund(refund)
        return isinstance(found, Returned) and found.state is RefundState.FAILED

    await until(failed, bool)


async def test_a_lost_answer_is_told_as_lost_and_found_by_our_reference(counter: Counter) -> None:
    charge = counter.charge()
    counter.stand_in.faults(drop_answer=True)
    assert isinstance(await counter.provider.charge(charge), Lost)
    counter.stand_in.call("DELETE", "/faults")
    found = await counter.decided(charge, await counter.provider.find(charge))
    assert isinstance(found, Captured)
    again = await counter.outcome(charge)
    assert isinstance(again, Captured)
    assert again.provider_id == found.provider_id, "repeated under its reference, it charges once"


async def test_what_never_arrived_is_missing(counter: Counter) -> None:
    assert await counter.provider.find(counter.charge()) == Missing()


@pytest.mark.parametrize("status", [500, 503])
async def test_trouble_leaves_open_what_happened(counter: Counter, status: int) -> None:
    counter.stand_in.faults(status=status)
    charge = counter.charge()
    assert isinstance(await counter.provider.charge(charge), Lost)
    assert isinstance(await counter.provider.find(charge), Lost)
    assert isinstance(await counter.provider.refund(counter.refund(charge, 1)), Lost)


async def test_who_is_asked_to_wait_waits_as_long_as_named(counter: Counter) -> None:
    counter.stand_in.faults(status=429, retry_after_s=2)
    assert await counter.provider.charge(counter.charge()) == Busy("rate limited", timedelta(seconds=2))


async def test_a_wrong_key_is_no_decline(counter: Counter) -> None:
    stranger = speaking(counter.name, counter.stand_in, counter.session, "sk_test_somebody_else")
    assert await stranger.charge(counter.charge()) == Busy("key refused", timedelta(seconds=10))


async def test_another_amount_than_asked_is_told_as_it_is(counter: Counter) -> None:
    counter.stand_in.faults(tamper_amount=True)
    outcome = await counter.outcome(counter.charge(amount=1999))
    assert isinstance(outcome, Captured)
    assert outcome.amount == 2000


async def test_a_day_lists_charges_and_refunds_as_each_is_shown(counter: Counter) -> None:
    charge = await counter.taken(amount=3000)
    refund = counter.refund(charge, 1000)
    gone = await counter.gone(refund)
    assert isinstance(gone, Returned)
    declined = counter.charge("insufficient")
    await counter.outcome(declined)
    day = datetime.now(UTC).date()
    theirs = {
        each.reference: each async for each in counter.provider.listed(day) if each.payment_id == counter.payment_id
    }
    key = str(charge.provider_id)
    assert theirs[charge.reference] == Listed(charge.reference, counter.payment_id, key, 3000, "EUR", "captured")
    about = refund.reference, counter.payment_id, gone.provider_id
    assert theirs[refund.reference] == Listed(*about, 1000, "EUR", "succeeded")
    assert (theirs[declined.reference].amount, theirs[declined.reference].status) == (0, "declined")
    shown = counter.provider.shown
    assert await shown(counter.payment_id, charge.reference, key, key) == theirs[charge.reference]
    assert await shown(counter.payment_id, refund.reference, gone.provider_id, key) == theirs[refund.reference]
    nobodys = "pi_nobodys" if counter.name == "stripe" else "pay_nobodys"
    assert await shown(counter.payment_id, "x", nobodys, nobodys) is None
    before = [each async for each in counter.provider.listed(day - timedelta(days=2))]
    assert before == []


async def test_what_is_decided_later_is_accepted_first(counter: Counter) -> None:
    said = await counter.provider.charge(counter.charge())
    assert isinstance(said, Captured if counter.name == "stripe" else Accepted)
