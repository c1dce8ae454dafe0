import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from apps.payments.checkout_provider import CheckoutProvider
from stack.stand_ins.card_processor_2.book import SCHEMA, Book
from stack.stand_ins.card_processor_2.cards import token
from stack.stand_ins.card_processor_2.events import Events
from stack.stand_ins.database import open_database
from stack.stand_ins.faults import Faults
from tests.support.programs import until
from tests.support.stand_ins import StandIn, free_port

pytestmark = pytest.mark.enable_socket

KEY = {"Authorization": "Bearer sk_sbox_tests"}


class Shop:
    """A shop's endpoint: keeps what it gets, and answers with the statuses given, then with 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[dict[str, Any]] = []
        nowhere: Any = None
        self.reader = CheckoutProvider(nowhere, "sk", ["a key of tests"], "")

    def hear(self, body: bytes, signature: str) -> int:
        notice = self.reader.notice(body, {"cko-signature": signature})
        self.got.append(orjson.loads(body) | {"event_id": notice.event_id})
        return self.answers.pop(0) if self.answers else 200

    def types(self) -> list[str]:
        return [each["type"] for each in self.got]


@pytest.fixture
def shop(second_processor: StandIn) -> Iterator[Shop]:
    shop, port = Shop(), free_port()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(shop.hear(body, self.headers["Cko-Signature"]))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        wanted = {"name": "t", "actions": [{"type": "webhook", "url": f"http://127.0.0.1:{port}/"}]}
        made = second_processor.call("POST", "/workflows", wanted, KEY).json()
        yield shop
        second_processor.call("DELETE", "/faults")
        second_processor.call("DELETE", f"/workflows/{made['id']}", None, KEY)
        server.shutdown()
        thread.join()


def pay(processor: StandIn) -> str:
    body = {"amount": 100, "currency": "EUR", "source": {"type": "token", "token": token("visa")}, "reference": "r"}
    made = processor.call("POST", "/payments", body, KEY)
    assert made.status == 201
    return str(made.json()["id"])


def test_what_happens_is_told_in_signed_events_until_they_are_taken(second_processor: StandIn, shop: Shop) -> None:
    shop.answers = [500]
    paid = pay(second_processor)
    until(lambda: len(shop.got) == 3, "two events, one of them twice")
    assert sorted(set(shop.types())) == ["payment_approved", "payment_captured"]
    assert {each["data"]["id"] for each in shop.got} == {paid}
    assert len({each["event_id"] for each in shop.got}) == 2


def test_events_come_twice_when_told_to(second_processor: StandIn, shop: Shop) -> None:
    second_processor.faults(duplicate_webhooks=True)
    pay(second_processor)
    until(lambda: len(shop.got) == 4, "two events, twice each")
    assert len({each["event_id"] for each in shop.got}) == 2


def test_events_come_in_another_order_when_told_to(tmp_path: Path) -> None:
    book = Book(open_database(tmp_path, "card-processor-2", SCHEMA))
    book.db.execute("INSERT INTO workflows VALUES ('wf_1', '{}')")
    events = Events(book)
    payment = {"id": "pay_1", "currency": "EUR", "balances": {}, "metadata": {}}
    for kind in ("payment_approved", "payment_captured"):
        action = {"id": f"act_{kind}", "amount": 1, "processed_on": "now"}
        events.emit(kind, payment, action, Faults(reorder_webhooks=True))
    rows = book.db.execute("SELECT body FROM deliveries ORDER BY due, seq DESC").fetchall()
    assert [orjson.loads(row[0])["type"] for row in rows] == ["payment_captured", "payment_approved"]
