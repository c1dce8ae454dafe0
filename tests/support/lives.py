"""What becomes of an order that is not called off: changed, paid, sent in parcels, delivered, taken back in part.

Each wish goes on until it is answered; what was accepted is what the invariants hold the order to.
"""

import asyncio
import random
import string
import time
from dataclasses import replace
from typing import Any, Final, Protocol

from tests.support.invariants import Placed
from tests.support.shop import Answer, Customer

PIECES: Final = 3
PAID_WITHIN_S: Final = 150.0
LOOK_EVERY_S: Final = 0.5


class Clients(Protocol):
    """Those who ask until they are answered, and keep what was refused."""

    outcome: Any

    async def until_answered(
        self, method: str, path: str, body: Any, token: str, headers: dict[str, str] | None = None
    ) -> Answer | None: ...


async def live_on(clients: Clients, staff: str, customer: Customer, sku: str, placed: Placed) -> Placed:
    """Let one order of three pieces live its life; return it with what was accepted on the way."""
    path = f"/orders/{placed.id}"
    if random.random() < 0.5:
        placed = await _edit(clients, customer, sku, placed)
    order = await _paid(clients, customer, path)
    if order is None:
        return placed
    pieces = order["lines"][0]["quantity"]
    for part in (1, pieces - 1):
        body = {"carrier": "DHL", "tracking_number": "parcel", "lines": [{"sku": sku, "quantity": part}]}
        sent = await _wish(clients, "POST", f"{path}/shipments", body, staff)
        if sent is None:
            return placed
        placed = replace(placed, shipped=placed.shipped + part)
    for parcel in sent["shipments"]:
        await _wish(clients, "POST", f"{path}/shipments/{parcel['id']}/delivered", None, staff)
    for part in random.choice([(), (1,), (1, pieces - 1)]):
        body = {"lines": [{"sku": sku, "quantity": part}], "reason": "too small"}
        if await _wish(clients, "POST", f"{path}/returns", body, staff):
            placed = replace(placed, returned=placed.returned + part)
    return placed


async def _wish(clients: Clients, method: str, path: str, body: Any, token: str) -> Any:
    key = {"idempotency-key": "".join(random.choices(string.ascii_lowercase, k=20))}
    answer = await clients.until_answered(method, path, body, token, key)
    if answer is None or answer.status >= 300:
        clients.outcome.refused.append(f"{path}: {answer.status if answer else None} {answer.text if answer else None}")
        return None
    return answer.body


async def _edit(clients: Clients, customer: Customer, sku: str, placed: Placed) -> Placed:
    """Make the order dearer or cheaper; whoever is told that it has changed meanwhile reads it and decides anew."""
    path, wanted = f"/orders/{placed.id}", random.choice([PIECES - 1, PIECES + 1])
    while True:
        read = await clients.until_answered("GET", path, None, customer.token)
        if read is None:
            return placed
        if read.body["lines"][0]["quantity"] == wanted:  # an answer was lost
            return replace(placed, edited=True, total=read.body["total"])
        lines = {"lines": [{"sku": sku, "quantity": wanted}]}
        tag = {"if-match": read.headers["etag"]}
        answer = await clients.until_answered("PATCH", path, lines, customer.token, tag)
        if answer is None:
            return placed
        if answer.status == 200:
            return replace(placed, edited=True, total=answer.body["total"])
        if answer.status != 412:
            clients.outcome.refused.append(f"PATCH {path}: {answer.status} {answer.text}")
            return placed


async def _paid(clients: Clients, customer: Customer, path: str) -> Any:
    """Return the order once all that it costs is paid."""
    limit = time.monotonic() + PAID_WITHIN_S
    while time.monotonic() < limit:
        read = await clients.until_answered("GET", path, None, customer.token)
        if read and read.body["status"] == "paid" and read.body["payment_status"] in {"captured", "partly_refunded"}:
            return read.body
        await asyncio.sleep(LOOK_EVERY_S)
    clients.outcome.refused.append(f"{path} was not paid within {PAID_WITHIN_S:.0f} s")
    return None
