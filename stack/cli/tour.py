import json
import re
import secrets
import urllib.request
from typing import Any
from uuid import uuid4

from stack import providers
from stack.cli.client import Client, Json
from stack.cli.token import mint
from stack.cli.watching import require_running
from stack.errors import StackError
from stack.home import Home, current_home
from stack.program import load_all

SKU = "demo-tea"
ADDRESS = {
    "name": "Ada Demo",
    "line1": "12 Harbour Street",
    "city": "Bristol",
    "postal_code": "BS1 4RN",
    "country": "GB",
}
_CODE = re.compile(r"(?<![\w-])[\w-]{40,}(?![\w-])")
_TAG = re.compile(r"<[^>]*>")


def demo() -> None:
    """Walk through the system as a client does, printing each call and its answer."""
    home = current_home()
    require_running(home)
    client = Client(_port(home, "edge-daprd"))
    _Tour(home, client).walk()


class _Tour:
    """One customer's way from the price list to a refund."""

    def __init__(self, home: Home, client: Client) -> None:
        self._home, self._client = home, client
        self._email = f"ada.{secrets.token_hex(4)}@example.com"
        self._token = ""

    def walk(self) -> None:
        """Take every step; the first that fails ends the tour with its reason."""
        self._fill_the_shelf()
        self._register()
        order = self._order()
        self._cancel(order)
        self._client.heading("Done: ordered, paid, confirmed by mail, cancelled and refunded.")

    def _fill_the_shelf(self) -> None:
        self._client.heading("1. Staff puts a product on the price list")
        product = {"name": "Assam, 250 g", "price": {"amount": 1290, "currency": "EUR"}, "stock": 100, "active": True}
        self._client.call("PUT", "orders", f"/products/{SKU}", product, token=mint(self._home, "staff"))
        self._client.call("GET", "orders", f"/products/{SKU}")

    def _register(self) -> None:
        self._client.heading("2. A customer registers, reads the mail, proves the address and signs in")
        password = secrets.token_urlsafe(18)
        registration = {"email": self._email, "password": password, "name": "Ada Demo", "locale": "en"}
        self._client.call("POST", "users", "/users", registration)
        mail = self._mail(0)
        code = _CODE.search(_TAG.sub(" ", mail.get("text") or mail["html"]))
        if code is None:
            raise StackError("the mail that should prove the address holds no code: see `sidecart logs notifications`")
        self._client.call("POST", "users", "/users/verify-email", {"token": code[0]})
        session = self._client.call("POST", "users", "/sessions", {"email": self._email, "password": password})
        self._token = str(session["access_token"])

    def _order(self) -> str:
        self._client.heading("3. The customer orders; payment and confirmation follow by themselves")
        body = {"lines": [{"sku": SKU, "quantity": 2}], "shipping_address": ADDRESS, "payment_method": "pm_card_visa"}
        order = self._client.call("POST", "orders", "/orders", body, token=self._token, key=str(uuid4()))
        order_id = str(order["id"])
        self._reaches(order_id, "payment_status", "captured")
        self._client.call("GET", "orders", f"/orders/{order_id}", token=self._token)
        self._client.call("GET", "payments", f"/payments?order_id={order_id}", token=self._token)
        self._mail(1)
        return order_id

    def _cancel(self, order_id: str) -> None:
        self._client.heading("4. The customer thinks again: the order is cancelled and the money goes back")
        path = f"/orders/{order_id}"
        reason = {"reason": "ordered twice"}
        self._client.call("POST", "orders", f"{path}/cancel", reason, token=self._token, key=str(uuid4()))
        self._reaches(order_id, "payment_status", "refunded")
        self._client.call("GET", "payments", f"/payments?order_id={order_id}", token=self._token)
        self._client.call("GET", "orders", f"{path}/timeline", token=self._token)

    def _reaches(self, order_id: str, field: str, value: str) -> None:
        def reached() -> Json | None:
            order = self._client.call("GET", "orders", f"/orders/{order_id}", token=self._token, quiet=True)
            return order if order.get(field) == value else None

        self._client.wait(reached, f"the order's {field} to become {value}")
        self._client.show("the order's " + field, value)

    def _mail(self, number: int) -> Json:
        """Wait for the customer's mail with that number, counted from 0, and show it."""

        def arrived() -> Json | None:
            mails = _mailbox(self._home, self._email)
            return mails[number] if len(mails) > number else None

        mail = self._client.wait(arrived, f"mail {number + 1} to {self._email}")
        self._client.show("mail", f"{mail['subject']} (to {', '.join(mail['to'])})")
        return mail


def _mailbox(home: Home, to: str) -> list[dict[str, Any]]:
    """Return the customer's mails, whichever of our stand-ins took them, in the order in which they arrived."""
    found = _kept(home, "mailbox", f"/messages?to={to}")
    if providers.stood_in(home):
        found += _kept(home, "providers", f"/email/messages?to={to}")
    return sorted(found, key=lambda mail: str(mail["at"]))


def _kept(home: Home, name: str, path: str) -> list[dict[str, Any]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{_port(home, name)}{path}", timeout=5) as answer:
            items: list[dict[str, Any]] = json.load(answer)["items"]
            return items
    except OSError as error:
        raise StackError(f"{name} does not answer ({error}): see `sidecart logs {name}`") from error


def _port(home: Home, name: str) -> int:
    for program in load_all(home):
        if program.name == name:
            return program.ports["http"]
    raise StackError(f"there is no process {name}: see `sidecart status`")
