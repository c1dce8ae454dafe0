"""A payment and its ledger against a model, through whatever orders, people and processors do in whatever order."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from apps.contracts.base import Money
from apps.contracts.orders import OrderPlaced
from apps.payments import decisions, ledger, outcomes, steps, terms
from apps.payments.domain import PaymentError, RefundState, State
from apps.payments.ledger import CUSTOMERS, Transaction
from apps.payments.payment import Payment
from apps.payments.provider import (
    ActionRequired,
    Authorised,
    Busy,
    Captured,
    Declined,
    Lost,
    Missing,
    Refused,
    Released,
    Returned,
)
from apps.payments.steps import Finish, GiveBack, Price, Take
from apps.payments.terms import Terms

MOODS = ("well", "well", "decline", "ask")
HEARD = ("yes", "yes", "lost", "busy")
AMOUNTS = st.integers(1, 900)


class Bank:
    """The processor of the model: what it holds, took and gave back, by reference; the truth to agree with."""

    def __init__(self) -> None:
        self.charges: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}

    def charge(self, take: Take, mood: str) -> None:
        made = take.charge
        if take.ask or made.reference in self.charges:
            return
        status = {"ask": "waiting", "decline": "declined"}.get(mood, "held" if made.manual else "taken")
        self.charges[made.reference] = {"status": status, "amount": made.amount, "taken": 0}
        if status == "taken":
            self.charges[made.reference]["taken"] = made.amount

    def finish(self, step: Finish) -> None:
        found = self.charges[step.charge.reference]
        if step.amount is None and found["status"] in ("held", "waiting"):
            found["status"] = "released"
        elif step.amount is not None and found["status"] == "held":
            found |= {"status": "taken", "taken": step.amount}

    def say(self, reference: str, currency: str) -> Any:
        found = self.charges.get(reference)
        if found is None:
            return Missing()
        key = f"pi_{reference}"
        return {
            "taken": Captured(key, found["taken"], currency, None, b"{}"),
            "held": Authorised(key, found["amount"], currency, None, b"{}"),
            "waiting": ActionRequired(key, "http://bank.test/", b"{}"),
            "released": Released(key, b"{}"),
            "declined": Declined("declined", key, None, b"{}"),
        }[found["status"]]

    def give_back(self, step: GiveBack, *, works: bool) -> Any:
        wanted = step.refund
        if wanted.reference not in self.refunds:
            if not works or step.ask:
                return Missing() if step.ask else Refused(b"{}")
            self.refunds[wanted.reference] = {"amount": wanted.amount, "state": RefundState.SUCCEEDED}
        found = self.refunds[wanted.reference]
        return Returned(f"re_{wanted.reference}", found["amount"], wanted.currency, found["state"], b"{}")

    @property
    def taken(self) -> int:
        return sum(each["taken"] for each in self.charges.values())

    @property
    def given(self) -> int:
        return sum(each["amount"] for each in self.refunds.values() if each["state"] is RefundState.SUCCEEDED)


class Life(RuleBasedStateMachine):
    """The worker takes one step at a time; between steps anything may be heard."""

    def __init__(self) -> None:
        super().__init__()
        self.bank = Bank()
        self.books: list[Transaction] = []
        self.now = datetime(2026, 1, 2, tzinfo=UTC)
        self.tries = 0
        self.sequence = 1
        self.total = 0
        self.returns: dict[Any, int] = {}

    @initialize(amount=AMOUNTS, manual=st.booleans())
    def placed(self, amount: int, manual: bool) -> None:
        self.total = amount
        terms.use(lambda *_: Terms(manual=manual))
        self.order = OrderPlaced(
            order_id=uuid4(),
            customer_id=uuid4(),
            number="N",
            sequence=1,
            total=Money(amount=amount, currency="EUR"),
            payment_method="pm",
            placed_at=self.now,
        )
        self.payment = decisions.claim(self.order, self.now)

    def teardown(self) -> None:
        terms.use(None)

    @rule(amount=AMOUNTS)
    def order_changed(self, amount: int) -> None:
        self.sequence += 1
        self.total = amount
        total = Money(amount=amount, currency="EUR")
        decisions.change(self.payment, total, self.sequence, self.now, called=self.tries > 0)

    @precondition(lambda self: self.sequence > 1)
    @rule(amount=AMOUNTS)
    def an_older_change_is_heard(self, amount: int) -> None:
        total = Money(amount=amount, currency="EUR")
        decisions.change(self.payment, total, self.sequence - 1, self.now, called=self.tries > 0)

    @rule()
    def order_cancelled(self) -> None:
        decisions.cancel(self.payment, self.now, called=self.tries > 0)

    @rule()
    def order_shipped(self) -> None:
        decisions.ship(self.payment, self.now)

    @rule(amount=AMOUNTS, twice=st.booleans())
    def goods_returned(self, amount: int, twice: bool) -> None:
        key = uuid4()
        for _ in range(1 + twice):
            decisions.give_back(self.payment, key, Money(amount=amount, currency="EUR"), self.now)

    @rule(amount=AMOUNTS)
    def somebody_asks(self, amount: int) -> None:
        money = Money(amount=amount, currency="EUR")
        for ask in (
            lambda: decisions.ask_capture(self.payment, money),
            lambda: decisions.ask_refund(self.payment, money, None, self.now),
        ):
            with suppress(PaymentError):
                ask()

    @rule()
    def somebody_voids_or_pays_again(self) -> None:
        with suppress(PaymentError):
            decisions.ask_void(self.payment)
        if not self.payment.cancelled:
            with suppress(PaymentError):
                decisions.pay_again(self.payment, "pm_2", self.now)
                self.tries = 0

    @rule(
        mood=st.sampled_from(["well", "well", "decline", "ask"]), heard=st.sampled_from(["yes", "yes", "lost", "busy"])
    )
    def the_worker_works(self, mood: str, heard: str) -> None:
        self.tries += 1
        for step in steps.next_steps(self.payment, self.now, tries=self.tries):
            self._do(step, mood, heard)
        self.books += ledger.book(self.payment)
        if not steps.is_pending(self.payment):
            self.tries = 0
        self.payment = Payment.load(self.payment.dump())

    def _do(self, step: Any, mood: str, heard: str) -> None:
        reference = self.payment.attempts[-1].reference
        if isinstance(step, Price):
            decisions.priced(self.payment, Money(amount=self.total, currency="EUR"))
            return
        if isinstance(step, GiveBack):
            outcome = self.bank.give_back(step, works=mood != "decline")
            outcomes.returned(self.payment, step.refund.refund_id, self._heard(outcome, heard), self.now)
            return
        if isinstance(step, Finish):
            self.bank.finish(step)
        else:
            self.bank.charge(step, mood)
        outcome = self.bank.say(step.charge.reference, "EUR")
        outcomes.charged(self.payment, step.charge.reference, self._heard(outcome, heard), self.now)
        if self.payment.attempts[-1].reference != reference:
            self.tries = 0

    def _heard(self, outcome: Any, heard: str) -> Any:
        return {"lost": Lost("x"), "busy": Busy("x")}.get(heard, outcome)

    @rule()
    def the_customer_confirms(self) -> None:
        for found in self.bank.charges.values():
            if found["status"] == "waiting":
                found |= {"status": "taken", "taken": found["amount"]}

    @rule()
    def a_refund_fails_late(self) -> None:
        for refund in self.payment.refunds:
            if refund.state is RefundState.SUCCEEDED and refund.reference in self.bank.refunds:
                self.bank.refunds[refund.reference]["state"] = RefundState.FAILED
                said = Returned("re", refund.amount, "EUR", RefundState.FAILED, b"{}")
                outcomes.returned(self.payment, refund.id, said, self.now)
                self.books += ledger.book(self.payment)
                return

    @rule(minutes=st.sampled_from([1, 7]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def no_more_goes_back_than_came_in(self) -> None:
        if hasattr(self, "payment"):
            promised = [each.amount for each in self.payment.refunds if each.state is not RefundState.FAILED]
            assert sum(promised) <= self.payment.captured
            assert self.bank.given <= self.bank.taken

    @invariant()
    def the_books_balance_and_say_what_the_record_says(self) -> None:
        if hasattr(self, "payment"):
            assert not any(sum(entry.amount for entry in each.entries) for each in self.books)
            kept = -sum(entry.amount for each in self.books for entry in each.entries if entry.account == CUSTOMERS)
            assert kept == self.payment.captured - self.payment.refunded
            assert list(ledger.faults(self.books, self.payment)) == []

    @invariant()
    def what_the_processor_did_is_what_we_wanted(self) -> None:
        if hasattr(self, "payment"):
            assert self.payment.state is not State.CONFLICTED
            assert len(self.bank.charges) <= len(self.payment.attempts)

    def settle(self) -> None:
        for _ in range(80):
            if not steps.is_pending(self.payment):
                break
            self.now += timedelta(minutes=10)
            self.the_worker_works("well", "yes")
        assert not steps.is_pending(self.payment)


class Settled(Life):
    """The same, and at its end everything is heard: our record is the processor's."""

    def teardown(self) -> None:
        try:
            if hasattr(self, "payment"):
                self.settle()
                for _ in range(2):
                    self.the_worker_works("well", "yes")
                    self.settle()
                assert (self.payment.captured, self.payment.refunded) == (self.bank.taken, self.bank.given)
                if self.payment.cancelled:
                    failed = sum(each.amount for each in self.payment.refunds if each.state is RefundState.FAILED)
                    assert self.payment.captured - self.payment.refunded <= failed
        finally:
            super().teardown()


TestSettled = Settled.TestCase
TestSettled.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
