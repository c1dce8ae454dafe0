"""A process of payments that is killed at a step; `python -m tests.store.payments.mortal URL RECORD` is one.

The processor's record is a file: what it did outlives whoever asked for it.
"""

import asyncio
import pickle
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

from apps.chassis.database import Database, engine_for
from apps.payments import steps, terms
from apps.payments.domain import RefundState
from apps.payments.provider import Charge, ChargeOutcome, RefundOutcome, Return
from apps.payments.terms import Terms
from tests.store.payments.desk import Desk
from tests.store.payments.till import Till, make_vault, make_worker
from tests.support.asgi import Reply, call
from tests.support.mortality import Steps, live_each

_KEPT: Final = ("taken", "given", "held", "waiting", "sums", "released")
CONNECTIONS: Final = 3
POOL: Final = 4
SOON_S: Final = 0.01
"""After how long whoever heard nothing asks again."""
T = TypeVar("T")


@dataclass
class Record(Till):
    """A till that does each thing in two steps: it is done and written down, and the answer is heard."""

    file: Path = Path()
    step: Callable[[str], None] = lambda _name: None

    def read(self) -> None:
        if self.file.exists():
            for name, value in pickle.loads(self.file.read_bytes()).items():  # noqa: S301  # this test's own file
                setattr(self, name, value)

    def write(self) -> None:
        self.file.write_bytes(pickle.dumps({name: getattr(self, name) for name in _KEPT}))

    async def charge(self, charge: Charge) -> ChargeOutcome:
        return await self._twice_a_step(super().charge(charge))

    async def find(self, charge: Charge) -> ChargeOutcome:
        return await self._twice_a_step(super().find(charge))

    async def capture(self, charge: Charge, amount: int) -> ChargeOutcome:
        return await self._twice_a_step(super().capture(charge, amount))

    async def void(self, charge: Charge) -> ChargeOutcome:
        return await self._twice_a_step(super().void(charge))

    async def refund(self, refund: Return) -> RefundOutcome:
        return await self._twice_a_step(super().refund(refund))

    async def find_refund(self, refund: Return) -> RefundOutcome:
        return await self._twice_a_step(super().find_refund(refund))

    async def _twice_a_step(self, done: Awaitable[T]) -> T:
        self.step("call")
        self.read()
        outcome = await done
        self.write()
        self.step("call")
        return outcome


def open_mortal(url: str, record: str) -> Desk:
    """Open a desk whose processor keeps its record in a file."""
    return Desk(Database(engine_for(url, POOL), make_vault()), Record(file=Path(record)))


async def do(desk: Desk, act: dict[str, Any]) -> Reply:
    """Do one thing as a client, the broker or the processor has it done."""
    behave(desk, act)
    if topic := act.get("topic"):
        entry = {"entryId": "0", "event": {"id": act["id"], "type": topic, "data": act["fact"]}}
        reply = await call(desk.app, "POST", f"/events/{topic}", {"entries": [entry]})
        assert [each["status"] for each in reply.json()["statuses"]] == ["SUCCESS"]
        return reply
    if notice := act.get("notice"):
        return await call(desk.app, "POST", "/webhooks/stripe", notice, {"signature": "good"})
    return await desk.call(
        act["method"], act["path"], act["body"], who=UUID(act["who"]), role=act["role"], key=act["key"]
    )


def behave(desk: Desk, act: dict[str, Any]) -> None:
    """Have the processor be in the mood of *act*, and the shop take money as it says."""
    desk.till.decline = desk.till.ask_customer = False
    desk.till.refund_state = RefundState(act.get("refunds", "succeeded"))
    if mood := act.get("mood"):
        setattr(desk.till, mood, True)
    terms.use(lambda *_: Terms(manual=act.get("manual", False)))


async def work(desk: Desk) -> None:
    """Do what a worker does from its start until nothing is due."""
    worker = make_worker(desk.database, desk.till)
    await worker._presence.show()
    try:
        while True:
            await worker.round()
            # its calls: nothing else runs here
            if not (calls := asyncio.all_tasks() - {asyncio.current_task()}):
                return
            await asyncio.wait(calls)
    finally:
        await worker._presence.leave()


async def live(desk: Desk, life: dict[str, Any]) -> dict[str, Any]:
    await _connect(desk)
    counted = Steps(life["die_at"])
    counted.count_database()
    record: Any = desk.till
    record.step = counted
    reply = await do(desk, life["act"])
    counted("answer")
    await work(desk)
    counted("rest")
    return {"steps": counted.passed, "status": reply.status}


async def _connect(desk: Desk) -> None:
    """Open what connections a life needs: how one is opened is not our affair."""
    opened = [await desk.database.engine.connect() for _ in range(CONNECTIONS)]
    for each in opened:
        await each.close()


async def warm_up(desk: Desk) -> None:
    """Do once what every process does the first time it is asked, and hold no connection."""
    assert (await desk.call("GET", f"/payments?order_id={UUID(int=0)}")).status == 200
    await desk.database.close()


def main(url: str, record: str) -> None:
    """Live each life that a line of the input tells of."""
    desk = open_mortal(url, record)
    asyncio.run(warm_up(desk))
    steps._FIRST_PAUSE_S = SOON_S  # type: ignore[misc]
    live_each(lambda life: live(desk, life))


if __name__ == "__main__":
    main(*sys.argv[1:])
