import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import stripe

from stack.stand_ins.card_processor.book import SCHEMA, Book
from stack.stand_ins.card_processor.events import Events
from stack.stand_ins.card_processor.webhooks import Postman, retry_delay
from stack.stand_ins.database import open_database
from stack.stand_ins.sender import Sender
from tests.support.programs import until
from tests.support.stand_ins import StandIn, free_port, running

pytestmark = pytest.mark.enable_socket

VISA: Any = {"amount": 1999, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}


@dataclass
class Shop:
    """A shop's endpoint: keeps what it gets and answers with the statuses given, then with 200."""

    port: int = field(default_factory=free_port)
    answers: list[int] = field(default_factory=list)
    got: list[tuple[bytes, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks/stripe"

    def events(self, of: str = "") -> list[stripe.Event]:
        """Verify each signature with the SDK, and return the events about the object *of*, or all."""
        read = [stripe.Webhook.construct_event(body, signed, "whsec_tests") for body, signed in self.got]
        return [event for event in read if of in ("", event.data.object["id"])]

    def types(self, of: str = "") -> list[str]:
        return [event.type for event in self.events(of)]


@pytest.fixture
def endpoint() -> Iterator[Shop]:
    shop = Shop()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            shop.got.append((body, self.headers["Stripe-Signature"]))
            self.send_response(shop.answers.pop(0) if shop.answers else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", shop.port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield shop
        server.shutdown()
        thread.join()


Listen = Callable[..., stripe.WebhookEndpoint]


@pytest.fixture
def listen(shop: stripe.StripeClient, endpoint: Shop) -> Iterator[Listen]:
    made: list[str] = []

    def register(*events: str) -> stripe.WebhookEndpoint:
        asked: Any = {"url": endpoint.url, "enabled_events": list(events) or ["*"]}
        one = shop.v1.webhook_endpoints.create(asked)
        made.append(one.id)
        return one

    yield register
    for key in made:
        shop.v1.webhook_endpoints.delete(key)


def test_what_happens_is_told_with_a_signature_the_sdk_accepts(
    shop: stripe.StripeClient, endpoint: Shop, listen: Listen
) -> None:
    listen()
    paid = shop.v1.payment_intents.create(VISA, {"idempotency_key": "told-1"})
    until(lambda: len(endpoint.got) == 2, "both events arrive")
    assert sorted(endpoint.types(paid.id)) == ["payment_intent.created", "payment_intent.succeeded"]
    (told,) = [event for event in endpoint.events() if event.type == "payment_intent.succeeded"]
    assert told.data.object["amount_received"] == 1999
    assert told.request is not None
    assert told.request.idempotency_key == "told-1"
    assert shop.v1.events.retrieve(told.id).type == told.type


def test_a_changed_body_does_not_verify(shop: stripe.StripeClient, endpoint: Shop, listen: Listen) -> None:
    listen("payment_intent.succeeded")
    shop.v1.payment_intents.create(VISA)
    until(lambda: len(endpoint.got) == 1, "the event arrives")
    body, signed = endpoint.got[0]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body.replace(b"1999", b"9991"), signed, "whsec_tests")


def test_only_what_was_asked_for_is_told(shop: stripe.StripeClient, endpoint: Shop, listen: Listen) -> None:
    listen("refund.*", "charge.refunded")
    paid = shop.v1.payment_intents.create(VISA)
    shop.v1.refunds.create({"payment_intent": paid.id})
    until(lambda: len(endpoint.got) == 2, "both events of the refund arrive")
    assert sorted(endpoint.types()) == ["charge.refunded", "refund.created"]


def test_what_was_not_taken_is_told_again(shop: stripe.StripeClient, endpoint: Shop, listen: Listen) -> None:
    endpoint.answers = [500, 302]
    listen("payment_intent.succeeded")
    shop.v1.payment_intents.create(VISA)
    until(lambda: len(endpoint.got) == 3, "the event is sent until it is taken")
    assert len({event.id for event in endpoint.events()}) == 1


def test_duplicates_are_the_same_event_twice(
    shop: stripe.StripeClient, processor: StandIn, endpoint: Shop, listen: Listen
) -> None:
    listen("payment_intent.succeeded")
    processor.faults(duplicate_webhooks=True)
    shop.v1.payment_intents.create(VISA)
    until(lambda: len(endpoint.got) == 2, "the event arrives twice")
    assert len({event.id for event in endpoint.events()}) == 1


def test_reordered_events_arrive_newest_first(
    shop: stripe.StripeClient, processor: StandIn, endpoint: Shop, listen: Listen
) -> None:
    listen()
    processor.faults(reorder_webhooks=True)
    paid = shop.v1.payment_intents.create(VISA)
    until(lambda: len(endpoint.got) == 2, "both events arrive")
    assert endpoint.types(paid.id) == ["payment_intent.succeeded", "payment_intent.created"]


def test_an_endpoint_shows_its_secret_once(shop: stripe.StripeClient, listen: Listen) -> None:
    made = listen("payment_intent.*")
    assert made.secret == "whsec_tests"
    read = shop.v1.webhook_endpoints.retrieve(made.id)
    assert "secret" not in read
    assert read.enabled_events == ["payment_intent.*"]
    assert made.id in [one.id for one in shop.v1.webhook_endpoints.list().data]


def test_a_deleted_endpoint_hears_nothing(shop: stripe.StripeClient, endpoint: Shop) -> None:
    wanted: Any = {"url": endpoint.url, "enabled_events": ["*"]}
    gone, stays = (shop.v1.webhook_endpoints.create(wanted).id for _ in range(2))
    assert shop.v1.webhook_endpoints.delete(gone).deleted
    shop.v1.payment_intents.create(VISA)
    until(lambda: len(endpoint.got) >= 2, "the endpoint that stays hears both events")
    shop.v1.webhook_endpoints.delete(stays)
    assert len(endpoint.got) == 2


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/x", "/webhooks", "http://", "http://[bad"])
def test_an_endpoint_needs_an_address(shop: stripe.StripeClient, url: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        shop.v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
    assert refused.value.param == "url"


def test_a_kill_forgets_no_event_that_is_still_to_be_told(tmp_path: Path, endpoint: Shop) -> None:
    secret = {"CARD_PROCESSOR_WEBHOOK_SECRET": "whsec_tests"}
    with running("card_processor", tmp_path, **secret) as processor:
        shop = stripe.StripeClient("sk_test_any", base_addresses={"api": processor.url})
        wanted: Any = {"url": endpoint.url, "enabled_events": ["payment_intent.succeeded"]}
        shop.v1.webhook_endpoints.create(wanted)
        endpoint.answers = [503]
        paid = shop.v1.payment_intents.create(VISA)
        until(lambda: len(endpoint.got) == 1, "the first attempt is refused")
        processor.kill()
        processor.start()
        until(lambda: len(endpoint.got) >= 2, "the event is sent again after the restart")
        assert set(endpoint.types()) == {"payment_intent.succeeded"}
        assert endpoint.events(paid.id)


async def test_an_endpoint_that_cannot_be_reached_is_a_failed_attempt_and_no_crash() -> None:
    sender = Sender(1)
    for url in (f"http://127.0.0.1:{free_port()}/", "http://[bad", "http://\x00/", "http://127.0.0.1:99999/"):
        assert await sender.send(url, b"{}", {"Stripe-Signature": "t=1,v1=x"}) is False
    await sender.close()


async def test_what_falls_due_between_two_looks_is_not_forgotten(tmp_path: Path) -> None:
    book = Book(open_database(tmp_path, "card-processor", SCHEMA))
    book.db.execute("INSERT INTO deliveries (event, endpoint, due) VALUES ('evt_1', 'we_1', 100.5)")
    postman = Postman(book, Events(book))
    assert postman.pause(now=100.0) == 0
    assert postman.pause(now=101.0) is None
    book.db.close()


def test_back_off_doubles_up_to_a_minute() -> None:
    assert [retry_delay(attempt) for attempt in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 60.0]
