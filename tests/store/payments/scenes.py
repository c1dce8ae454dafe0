"""What a death may come in the middle of: each scene makes ready, and returns what is to be done then."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from apps.contracts.base import Event
from apps.contracts.orders import OrderPlaced
from apps.contracts.users import UserErased
from apps.payments.payment import Payment
from tests.store.payments.desk import Desk
from tests.store.payments.heard import AMOUNT, AT, cancelled, changed, goods_returned, placed, shipped
from tests.store.payments.mortal import behave, work

PART: Final = 300_000_017
Act = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """Where one life is lived: an order of its own."""

    desk: Desk
    order: OrderPlaced

    async def payment(self) -> Payment:
        return await self.desk.payment(self.order.order_id)

    async def charged(self, **how: Any) -> Payment:
        """Have the order charged as far as the processor's mood lets it."""
        behave(self.desk, how)
        await self.desk.place(self.order)
        await work(self.desk)
        return await self.payment()

    def hear(self, fact: Event, **how: Any) -> Act:
        id_ = str(uuid4())
        return {"topic": fact.topic, "id": id_, "fact": fact.model_dump(mode="json"), **how}

    def post(self, path: str, body: Any = None, who: UUID | None = None, **how: Any) -> Act:
        role = "customer" if who else "support"
        about = {"path": path, "body": body, "who": str(who or uuid4()), "role": role, "key": str(uuid4())}
        return {"method": "POST", **about, **how}

    async def tell(self, **how: Any) -> Act:
        """Have the processor say that something happened to the payment."""
        return {"notice": {"id": f"evt_{uuid4()}", "payment": str((await self.payment()).id)}, **how}


async def charge(stage: Stage) -> Act:
    return stage.hear(stage.order)


async def be_declined(stage: Stage) -> Act:
    return stage.hear(stage.order, mood="decline")


async def pay_again(stage: Stage) -> Act:
    await stage.charged(mood="decline")
    body = {"order_id": str(stage.order.order_id), "payment_method": "pm_card_visa"}
    return stage.post("/payments", body, who=stage.order.customer_id)


async def hold(stage: Stage) -> Act:
    return stage.hear(stage.order, manual=True)


async def capture(stage: Stage) -> Act:
    return stage.post(f"/payments/{(await stage.charged(manual=True)).id}/capture", {})


async def capture_a_part(stage: Stage) -> Act:
    return stage.post(f"/payments/{(await stage.charged(manual=True)).id}/capture", {"amount": PART})


async def capture_what_is_sent(stage: Stage) -> Act:
    await stage.charged(manual=True)
    return stage.hear(shipped(stage.order))


async def void(stage: Stage) -> Act:
    return stage.post(f"/payments/{(await stage.charged(manual=True)).id}/void")


async def let_go_of_the_cancelled(stage: Stage) -> Act:
    await stage.charged(manual=True)
    return stage.hear(cancelled(stage.order))


async def refund(stage: Stage) -> Act:
    return stage.post(f"/payments/{(await stage.charged()).id}/refunds", {"amount": PART, "reason": "late"})


async def refund_the_cancelled(stage: Stage) -> Act:
    await stage.charged()
    return stage.hear(cancelled(stage.order))


async def refund_the_returned(stage: Stage) -> Act:
    await stage.charged()
    return stage.hear(goods_returned(stage.order, PART))


async def hear_of_a_failed_refund(stage: Stage) -> Act:
    id_ = (await stage.charged()).id
    await stage.desk.call("POST", f"/payments/{id_}/refunds", {"amount": PART}, role="support")
    await work(stage.desk)
    return await stage.tell(refunds="failed")


async def hear_of_a_confirmation(stage: Stage) -> Act:
    payment = await stage.charged(mood="ask_customer")
    till: Any = stage.desk.till
    till.confirm(payment.attempt.reference)
    till.write()
    return await stage.tell()


async def charge_the_difference(stage: Stage) -> Act:
    await stage.charged()
    return stage.hear(changed(stage.order, AMOUNT + PART))


async def give_the_difference_back(stage: Stage) -> Act:
    await stage.charged()
    return stage.hear(changed(stage.order, AMOUNT - PART))


async def forget(stage: Stage) -> Act:
    await stage.charged()
    return stage.hear(UserErased(user_id=stage.order.customer_id, sequence=1, erased_at=AT))


def new_stage(desk: Desk) -> Stage:
    return Stage(desk, placed())


Scene = Callable[[Stage], Awaitable[Act]]
FEW: Final[list[Scene]] = [charge, capture_a_part, void, refund, hear_of_a_confirmation]
SCENES: Final[list[Scene]] = [
    *FEW,
    be_declined,
    pay_again,
    hold,
    capture,
    capture_what_is_sent,
    let_go_of_the_cancelled,
    refund_the_cancelled,
    refund_the_returned,
    hear_of_a_failed_refund,
    charge_the_difference,
    give_the_difference_back,
    forget,
]
