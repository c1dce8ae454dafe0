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
from apps.payments.payment import AttemptStatus, Payment, Wish
from apps.payments.provider import Busy, Lost, Returned
from apps.payments.steps import Finish, GiveBack, Price
from apps.payments.terms import Terms
from tests.unit.payments.bank import Bank

MOODS = st.sampled_from(["well", "well", "decline", "ask"])
HEARD = st.sampled_from(["yes", "yes", "lost", "busy"])
AMOUNTS = st.integers(1, 900)


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

    @initialize(amount=AMOUNTS, manual=st.booleans(), later=st.booleans())
    def placed(self, amount: int, manual: bool, later: bool) -> None:
        self.bank.later = later
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

    @precondition(lambda self: self.payment.state is State.REQUIRES_CAPTURE)
    @rule(share=st.floats(0, 1))
    def support_captures_a_part(self, share: float) -> None:
        part = max(1, int(self.payment.held * share))
        with suppress(PaymentError):
            decisions.ask_capture(self.payment, Money(amount=part, currency="EUR"))
            wanted = [each.wanted for each in self.payment.attempts if each.wish is Wish.CAPTURE]
            assert sum(each or 0 for each in wanted) == part

    @precondition(lambda self: self.payment.state in (State.REQUIRES_CAPTURE, State.REQUIRES_ACTION))
    @rule()
    def support_lets_go(self) -> None:
        with suppress(PaymentError):
            decisions.ask_void(self.payment)
            assert all(each.wish for each in self.payment.attempts if each.status is AttemptStatus.AUTHORISED)

    @rule()
    def the_customer_pays_again(self) -> None:
        if not self.payment.cancelled:
            with suppress(PaymentError):
                decisions.pay_again(self.payment, "pm_2", self.now)
                self.tries = 0

    @rule(mood=MOODS, heard=HEARD)
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
            given = self.bank.give_back(step, works=mood != "decline")
            outcomes.returned(self.payment, step.refund.refund_id, self._heard(given, heard), self.now)
            return
        outcome = self.bank.finish(step) if isinstance(step, Finish) else self.bank.charge(step, mood)
        outcomes.charged(self.payment, step.charge.reference, self._heard(outcome, heard), self.now)
        if self.payment.attempts[-1].reference != reference:
            self.tries = 0

    def _heard(self, outcome: Any, heard: str) -> Any:
        return {"lost": Lost("x"), "busy": Busy("x")}.get(heard, outcome)

    @rule()
    def the_customer_confirms(self) -> None:
        self.bank.confirm()

    @precondition(lambda self: self.bank.later)
    @rule()
    def the_processor_decides(self) -> None:
        self.bank.decide()

    @rule()
    def a_refund_fails_late(self) -> None:
        for refund in self.payment.refunds:
            if refund.state is RefundState.SUCCEEDED and refund.reference in self.bank.refunds:
                self.bank.refunds[refund.reference].state = RefundState.FAILED
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
            self.bank.decide()
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
                assert self.payment.held == self.bank.held
                assert self.payment.held == 0 or self.payment.state is State.REQUIRES_CAPTURE
                if self.payment.cancelled:
                    failed = sum(each.amount for each in self.payment.refunds if each.state is RefundState.FAILED)
                    assert self.payment.captured - self.payment.refunded <= failed
        finally:
            super().teardown()


TestSettled = Settled.TestCase
TestSettled.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
