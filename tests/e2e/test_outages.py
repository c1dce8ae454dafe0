"""One service away does not stop the others, and an event that makes no sense stops nobody."""

import asyncio
import json
import socket
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from tests.support.audit import Audit
from tests.support.invariants import Placed
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

STOCK = 100
TOPIC = "payment-captured"


def placed(order: dict[str, Any], customer: Customer, *, cancelled: bool = False) -> Placed:
    return Placed(order["id"], order["number"], customer.email, order["total"], order["note"], cancelled)


async def stocked(shop: Shop) -> str:
    sku = f"tea-{uuid4().hex[:8]}"
    await shop.put_product(sku, stock=STOCK)
    return sku


async def test_orders_placed_while_payments_is_away_are_paid_when_it_is_back(
    system: System, shop: Shop, customer: Customer
) -> None:
    sku = await stocked(shop)
    audit = Audit(shop, {sku: STOCK})
    with system.without("payments"):
        answers = [await shop.order(customer, sku) for _ in range(4)]
        assert [answer.status for answer in answers] == [201] * 4
        path = f"/orders/{answers[0].body['id']}/cancel"
        cancelled = await shop.call("orders", "POST", path, {}, token=customer.token, key=uuid4().hex)
        assert cancelled.status == 202, cancelled.text
        waiting = await shop.show(customer, answers[1].body["id"])
        assert (waiting["status"], waiting["payment_status"]) == ("placed", "pending")
        assert (await shop.register()).token, "users go on as well"
    orders = [placed(answer.body, customer, cancelled=n == 0) for n, answer in enumerate(answers)]
    await audit.hold(orders, deadline_s=120)


async def test_signed_in_clients_go_on_while_users_is_away(system: System, shop: Shop, customer: Customer) -> None:
    sku = await stocked(shop)
    audit = Audit(shop, {sku: STOCK})
    with system.without("users"):
        # a service that starts meanwhile has the keys in its own database
        await asyncio.to_thread(system.sidecart, "restart", "orders")
        order = await until(lambda: accepted(shop, customer, sku), "an order to be accepted")
        await shop.wait_order(customer, order["id"], status="paid")
        await shop.wait_mail(customer.email, order["number"])
    await asyncio.to_thread(system.wait_ready, "users")
    await audit.hold([placed(order, customer)])


async def accepted(shop: Shop, customer: Customer, sku: str) -> dict[str, Any] | None:
    answer = await shop.order(customer, sku, key="once")
    return answer.body if answer.status == 201 else None


async def test_mail_waits_for_its_mailbox(system: System, shop: Shop, customer: Customer) -> None:
    sku = await stocked(shop)
    audit = Audit(shop, {sku: STOCK})
    with system.without("mailbox"):
        order = (await shop.order(customer, sku)).body
        await shop.wait_order(customer, order["id"], status="paid")
    await asyncio.to_thread(system.wait_ready, "mailbox")
    await audit.hold([placed(order, customer)], deadline_s=120)


def a_capture(**changes: Any) -> dict[str, Any]:
    capture = {
        "version": 1,
        "sequence": 1,
        "payment_id": str(uuid4()),
        "order_id": str(uuid4()),
        "customer_id": str(uuid4()),
        "amount": {"amount": 1999, "currency": "EUR"},
        "captured_at": "2026-01-01T00:00:00Z",
    }
    return capture | changes


# What is wrong -> the event's data and a word of the reason that is kept with it.
SENSELESS: dict[str, tuple[Any, str]] = {
    "a version nobody knows": (a_capture(version=99), "version"),
    "no identity": (a_capture(order_id=None), "order_id"),
    "amount below zero": (a_capture(amount={"amount": -1, "currency": "EUR"}), "amount"),
    "a list": ([1, 2, 3], "malformed"),
    "a text": ("captured, believe me", "malformed"),
    "an order that never was": (a_capture(), "rder"),
}


@pytest.mark.parametrize("case", SENSELESS)
async def test_an_event_that_makes_no_sense_is_kept_for_people_and_stops_nobody(
    case: str, system: System, shop: Shop, customer: Customer
) -> None:
    data, word = SENSELESS[case]
    sku, support = await stocked(shop), shop.operator_token("support")
    event_id = f"senseless-{uuid4()}"
    await publish(shop, event_id, data)
    order = (await shop.order(customer, sku)).body

    async def kept() -> dict[str, Any] | None:
        listed = await shop.call("orders", "GET", "/dead-letters", token=support)
        return next((item for item in listed.body["items"] if item["event_id"] == event_id), None)

    letter = await until(kept, "the event to be among the dead letters")
    assert letter["topic"] == TOPIC
    assert word in letter["reason"]
    await until(lambda: nothing_pending(system), "the event to leave the broker")
    await shop.wait_order(customer, order["id"], status="paid")
    path = f"/dead-letters/{letter['id']}"
    again = await shop.call("orders", "POST", f"{path}/redeliver", token=support)
    assert (again.status, again.slug) == (409, "still-failing")
    refused = await shop.call("orders", "DELETE", path, token=customer.token)
    assert refused.status == 403
    assert (await shop.call("orders", "DELETE", path, token=support)).status == 204


async def publish(shop: Shop, event_id: str, data: Any) -> None:
    """Publish as payments could, through its own sidecar."""
    event = {"specversion": "1.0", "id": event_id, "source": "payments", "type": TOPIC, "data": data}
    event["datacontenttype"] = "application/json"
    url = f"http://127.0.0.1:{shop.system.port(3503)}/v1.0/publish/pubsub/{TOPIC}"
    headers = {"content-type": "application/cloudevents+json", "dapr-api-token": shop.system.sidecar_token("payments")}
    assert shop._session
    async with shop._session.post(url, data=json.dumps(event), headers=headers) as answer:
        assert answer.status == 204, await answer.text()


async def nothing_pending(system: System) -> bool | None:
    """Tell whether orders has acknowledged everything it was handed."""
    return True if await asyncio.to_thread(pending, system, TOPIC, "orders") == 0 else None


def pending(system: System, stream: str, group: str) -> int:
    """Ask the broker how many messages are handed out and not acknowledged."""
    with ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", system.port(16379)), timeout=60))
        connection.sendall(f"AUTH {system.secret('valkey-password')}\r\nXPENDING {stream} {group}\r\n".encode())
        answers = stack.enter_context(connection.makefile("rb"))
        assert answers.readline() == b"+OK\r\n"
        # *4, then the count
        assert answers.readline() == b"*4\r\n"
        return int(answers.readline()[1:])
