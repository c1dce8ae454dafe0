"""The processor of the model: what it holds, took and gave back, by reference; the truth to agree with."""

from dataclasses import dataclass, field

from apps.payments.domain import RefundState
from apps.payments.provider import (
    Accepted,
    ActionRequired,
    Authorised,
    Captured,
    ChargeOutcome,
    Declined,
    Missing,
    RefundOutcome,
    Refused,
    Released,
    Returned,
)
from apps.payments.steps import Finish, GiveBack, Take


@dataclass
class Made:
    """A charge at the bank; `then` is what it becomes once that is decided."""

    status: str
    amount: int
    manual: bool
    taken: int = 0
    then: tuple[str, int] | None = None

    def become(self, status: str, taken: int, *, later: bool) -> None:
        if later:
            self.then = (status, taken)
        else:
            self.status, self.taken = status, taken


@dataclass
class Given:
    """A refund at the bank."""

    amount: int
    state: RefundState


@dataclass
class Bank:
    """Answers at once, or as one that decides *later* and only says at first that it has heard."""

    later: bool = False
    charges: dict[str, Made] = field(default_factory=dict)
    refunds: dict[str, Given] = field(default_factory=dict)

    def charge(self, take: Take, mood: str) -> ChargeOutcome:
        made = take.charge
        if not take.ask and made.reference not in self.charges:
            new = self.charges[made.reference] = Made("deciding", made.amount, made.manual)
            if mood == "ask":
                new.status = "waiting"
            elif mood == "decline":
                new.become("declined", 0, later=self.later)
            elif made.manual:
                new.become("held", 0, later=self.later)
            else:
                new.become("taken", made.amount, later=self.later)
        return self.say(made.reference, made.currency)

    def finish(self, step: Finish) -> ChargeOutcome:
        found = self.charges[step.charge.reference]
        if found.then is None and step.amount is None and found.status in ("held", "waiting"):
            found.become("released", 0, later=self.later and found.status == "held")
        elif found.then is None and step.amount is not None and found.status == "held":
            found.become("taken", step.amount, later=self.later)
        said = self.say(step.charge.reference, step.charge.currency)
        return Accepted(said.provider_id, b"{}") if found.then and isinstance(said, Authorised) else said

    def say(self, reference: str, currency: str) -> ChargeOutcome:
        found = self.charges.get(reference)
        if found is None:
            return Missing()
        key = f"pi_{reference}"
        said: dict[str, ChargeOutcome] = {
            "deciding": Accepted(key, b"{}"),
            "taken": Captured(key, found.taken, currency, None, b"{}"),
            "held": Authorised(key, found.amount, currency, None, b"{}"),
            "waiting": ActionRequired(key, "http://bank.test/", b"{}"),
            "released": Released(key, b"{}"),
            "declined": Declined("declined", key, None, b"{}"),
        }
        return said[found.status]

    def give_back(self, step: GiveBack, *, works: bool) -> RefundOutcome:
        wanted = step.refund
        if wanted.reference not in self.refunds:
            if not works or step.ask:
                return Missing() if step.ask else Refused(b"{}")
            state = RefundState.PENDING if self.later else RefundState.SUCCEEDED
            self.refunds[wanted.reference] = Given(wanted.amount, state)
        found = self.refunds[wanted.reference]
        return Returned(f"re_{wanted.reference}", found.amount, wanted.currency, found.state, b"{}")

    def decide(self) -> None:
        """Do what was only heard so far."""
        for made in self.charges.values():
            if made.then:
                (made.status, made.taken), made.then = made.then, None
        for given in self.refunds.values():
            if given.state is RefundState.PENDING:
                given.state = RefundState.SUCCEEDED

    def confirm(self) -> None:
        """Have customers agree: what waited for them is held, or taken."""
        for made in self.charges.values():
            if made.status == "waiting" and made.then is None:
                made.status, made.taken = ("held", 0) if made.manual else ("taken", made.amount)

    @property
    def taken(self) -> int:
        return sum(each.taken for each in self.charges.values())

    @property
    def held(self) -> int:
        return sum(each.amount for each in self.charges.values() if each.status == "held")

    @property
    def given(self) -> int:
        return sum(each.amount for each in self.refunds.values() if each.state is RefundState.SUCCEEDED)
