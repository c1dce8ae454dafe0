"""A process of orders that is killed at a step: between any two statements, commits and calls to the outside.

`python -m tests.store.orders.mortal URL SHELF` imports everything once, and then forks for each life that it is told of
on its input: what to do, and at which step to die. It answers with the steps of a life that was lived to its end.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from apps.chassis.sidecar import Answer
from apps.orders import asking, intents, leaving
from tests.store.orders.shop import Shop, open_shop, settings_from_environment
from tests.support.asgi import Reply
from tests.support.mortality import Steps, live_each

NOW: Final = timedelta(0)
JOBS: Final[dict[str, Callable[[Shop], Awaitable[Any]]]] = {
    "expire": lambda shop: leaving.expire_unpaid(shop.chassis),
    "ask": lambda shop: asking.ask_about_waiting(shop.chassis),
    "sweep": lambda shop: intents.sweep(shop.chassis, NOW, 100),
}


class Shelf(MutableMapping[str, bytes]):
    """Documents in a directory: they outlive the process that wrote them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, key: str) -> bytes:
        try:
            return (self._directory / key).read_bytes()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: bytes) -> None:
        (self._directory / f".{key}").write_bytes(value)
        (self._directory / f".{key}").rename(self._directory / key)

    def __delitem__(self, key: str) -> None:
        try:
            (self._directory / key).unlink()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __iter__(self) -> Iterator[str]:
        return (path.name for path in self._directory.iterdir() if not path.name.startswith("."))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def open_mortal(url: str, shelf: str) -> Shop:
    """Open a shop whose documents lie in the directory *shelf*."""
    shop = open_shop(url, settings_from_environment(), 2)
    kept: Any = Shelf(Path(shelf))
    shop.papers.kept = kept
    return shop


async def do(shop: Shop, act: dict[str, Any]) -> Reply | None:
    """Do one thing as a client, the broker or the clock has it done."""
    shop.papers.payments = {id_: Answer(200, body.encode()) for id_, body in act.get("payments", {}).items()}
    if job := act.get("job"):
        await JOBS[job](shop)
    elif topic := act.get("topic"):
        await shop.deliver((act["id"], act["fact"]), topic=topic)
    else:
        return await shop.call(**{**act, "who": UUID(act["who"])})
    return None


def count_steps(shop: Shop, die_at: int) -> Steps:
    """Count each step that is about to be done, and be killed before that of number *die_at*."""
    steps = Steps(die_at)
    steps.count_database()
    for call in ("put_documents", "get_documents", "delete_document", "invoke"):
        steps.count_calls(shop.papers, call, "call")
    return steps


async def live(shop: Shop, life: dict[str, Any]) -> dict[str, Any]:
    async with shop.database.reading() as connection:
        await connection.exec_driver_sql("SELECT 1")
    steps = count_steps(shop, life["die_at"])
    reply = await do(shop, life["act"])
    steps("answer")
    return {"steps": steps.passed, "status": reply.status if reply else 200}


async def warm_up(shop: Shop) -> None:
    """Do once what every process does the first time it is asked, and hold no connection."""
    assert (await shop.call("GET", "/products?limit=1")).status == 200
    assert (await shop.call("POST", "/quotes", {"lines": [{"sku": "none", "quantity": 1}]})).status == 422
    await shop.database.close()


def main(url: str, shelf: str) -> None:
    """Live each life that a line of the input tells of."""
    shop = open_mortal(url, shelf)
    asyncio.run(warm_up(shop))
    live_each(lambda life: live(shop, life))


if __name__ == "__main__":
    main(*sys.argv[1:])
