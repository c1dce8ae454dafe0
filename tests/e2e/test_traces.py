"""What a client asks for is one trace, through every process that has a hand in it."""

import asyncio
import os
import secrets

import pytest

from tests.support.collector import Collector, Trace
from tests.support.shop import ADDRESS, Customer, Shop, until
from tests.support.system import System

ORDERS = int(os.environ.get("SIDECART_TRACED_ORDERS", "1000"))
AT_ONCE = 4
# Who hears what, on the way of an order.
HEARD = {"order-placed": "payments", "payment-captured": "orders", "order-paid": "notifications"}
# Spans from which nothing hangs: each process sends its own every few seconds.
LEAVES = [
    ("payments", "card-processor/v1/payment_intents"),
    ("notifications", "/v1.0/bindings/email"),
    ("notifications", "publish notification-delivered"),
    *((service, f"pubsub/{topic}") for topic, service in HEARD.items()),
]
WAY = ["edge", "orders", "payments", "orders", "notifications"]


async def traced_order(shop: Shop, customer: Customer, sku: str) -> tuple[str, str]:
    """Place an order as a client whose own span asks for it; return the trace and that span."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    body = {"lines": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
    headers = {"traceparent": f"00-{trace}-{span}-01"}
    placed = await shop.call(
        "orders", "POST", "/orders", body, token=customer.token, key=secrets.token_hex(8), headers=headers
    )
    assert placed.status == 201, placed.text
    return trace, span


async def whole(collector: Collector, id_: str, deadline_s: float = 60) -> Trace:
    """Return a trace once its leaves have come."""

    async def complete() -> Trace | None:
        trace = await asyncio.to_thread(collector.trace, id_)
        return trace if all(trace.find(service, name) for service, name in LEAVES) else None

    return await until(complete, f"the leaves of trace {id_}", deadline_s, every_s=0.2)


async def test_an_order_is_one_trace_from_its_client_to_the_mail(
    shop: Shop, customer: Customer, sku: str, collector: Collector
) -> None:
    id_, client = await traced_order(shop, customer, sku)
    await whole(collector, id_)
    await until(lambda: _none_astray(collector, id_, client), "every span to hang from another")
    trace = collector.trace(id_)
    [first] = [span for span in trace.spans.values() if span.parent == client]
    assert first.service == "edge"
    [mail] = trace.find("notifications", "/v1.0/bindings/email")
    assert trace.way(mail) == WAY
    [charge] = trace.find("payments", "card-processor/v1/payment_intents")
    assert trace.way(charge) == WAY[:3]
    for topic, hears in HEARD.items():
        [published] = [span for span in trace.spans.values() if span.name == f"publish {topic}"]
        [delivered] = trace.find(hears, f"pubsub/{topic}")
        [taken] = trace.find(hears, f"take {topic}")
        assert delivered.parent == taken.parent == published.id, topic


async def _none_astray(collector: Collector, id_: str, client: str) -> bool | None:
    return True if not collector.trace(id_).strays(client) else None


async def test_a_cancelled_order_is_given_back_within_the_trace_of_its_cancelling(
    shop: Shop, customer: Customer, sku: str, collector: Collector
) -> None:
    order = (await shop.order(customer, sku)).body
    await shop.wait_order(customer, order["id"], status="paid")
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    cancelled = await shop.call(
        "orders", "POST", f"/orders/{order['id']}/cancel", {}, token=customer.token, key=secrets.token_hex(8),
        headers={"traceparent": f"00-{trace}-{span}-01"},
    )  # fmt: skip
    assert cancelled.status == 202, cancelled.text

    async def refunded() -> Trace | None:
        found = await asyncio.to_thread(collector.trace, trace)
        return found if found.find("payments", "card-processor/v1/refunds") and not found.strays(span) else None

    found = await until(refunded, "the refund's span, and all that it hangs from", 60, every_s=0.2)
    [refund] = found.find("payments", "card-processor/v1/refunds")
    assert found.way(refund) == WAY[:3]


async def test_no_span_tells_a_token_or_whom_staff_look_for(
    shop: Shop, customer: Customer, collector: Collector
) -> None:
    id_, secret = secrets.token_hex(16), secrets.token_hex(16)
    headers = {"traceparent": f"00-{id_}-{secrets.token_hex(8)}-01"}
    await shop.call("notifications", "GET", f"/unsubscribe?token={secret}", headers=headers)
    support = shop.operator_token("support")
    await shop.call("users", "GET", f"/users?q={customer.email}", token=support, headers=headers)

    async def arrived() -> bool | None:
        seen = {span.service for span in collector.trace(id_).spans.values()}
        return {"edge", "notifications", "users"} <= seen or None

    await until(arrived, "spans of the edge and of both services", 60, every_s=0.2)
    told = [text for span in collector.trace(id_).spans.values() for text in (span.name, *span.attributes.values())]
    assert any(text.endswith("/unsubscribe") for text in told)
    assert [text for text in told if secret in text or customer.email in text or support in text] == []


async def test_what_no_client_asked_for_begins_no_trace(shop: Shop, customer: Customer, collector: Collector) -> None:
    """Probes, ticks, pages of the outbox and requests that were not drawn leave nothing at the collector."""
    known = {"traceparent": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"}
    await shop.call("orders", "GET", "/orders", token=customer.token, headers=known)
    asked, span = secrets.token_hex(16), secrets.token_hex(8)
    # the last in line of what every process sends: once this is there, whatever was recorded before it is
    await shop.call("users", "GET", "/users/me", token=customer.token, headers={"traceparent": f"00-{asked}-{span}-01"})
    await until(lambda: _arrived(collector, asked), "a span of users", 60, every_s=0.2)
    firsts = [
        span
        for id_ in collector.ids() - {asked}
        for span in collector.trace(id_).spans.values()
        if span.parent == "" and span.service != "edge"
    ]
    assert firsts == []


async def _arrived(collector: Collector, id_: str) -> bool | None:
    return True if collector.trace(id_).find("users", "GET /users/me") else None


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_every_order_of_a_thousand_is_one_connected_trace() -> None:
    """At sampling 1 the edge begins them: clients bring none."""
    with (
        Collector() as collector,
        System(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER_ARG": "1"}) as system,
    ):
        async with Shop(system) as shop:
            customer = await shop.register()
            await shop.put_product("tea")
            waiting = asyncio.Semaphore(AT_ONCE)
            ids = await asyncio.gather(*(_trace_of_an_order(shop, customer, waiting) for _ in range(ORDERS)))
            broken = [id_ for id_ in ids if not await _connected(collector, id_)]
    print(f"\n{len(ids) - len(broken)} of {len(ids)} orders are one connected trace")
    assert len(set(ids)) == ORDERS
    assert broken == []


async def _trace_of_an_order(shop: Shop, customer: Customer, waiting: asyncio.Semaphore) -> str:
    async with waiting:
        placed = await shop.order(customer, "tea")
    assert placed.status == 201, placed.text
    return placed.headers["traceparent"].split("-")[1]


async def _connected(collector: Collector, id_: str) -> bool:
    try:
        await whole(collector, id_)
        await until(lambda: _none_astray(collector, id_, ""), "every span to hang from another")
        trace = collector.trace(id_)
    except AssertionError:
        return False
    return [trace.way(mail) for mail in trace.find("notifications", "/v1.0/bindings/email")] == [WAY]
