"""Buy something: `shop.py http` through the edge, `shop.py grpc` through a sidecar of one's own, by Dapr's SDK.

Reads SIDECART_EDGE_URL, DAPR_* (`sidecart env partner`) and SKU; prints one line of JSON.
"""

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from uuid import uuid4

import grpc
from dapr.clients import DaprClient

PATIENCE_S = 60
ADDRESS = {"name": "Ada", "line1": "12 Square", "city": "London", "postal_code": "SW1Y 4JH", "country": "GB"}

Call = Callable[..., Any]


class RefusedError(Exception):
    """A call was not let through; the text is the status that says so."""


def over_http(
    app_id: str, verb: str, path: str, body: object = None, query: tuple[tuple[str, str], ...] = (), **headers: str
) -> Any:
    """Call a service by app-id through the edge, with nothing but HTTP."""
    url = f"{os.environ['SIDECART_EDGE_URL']}/v1.0/invoke/{app_id}/method/{path}?{urlencode(query)}"
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, sent, method=verb)) as answer:  # noqa: S310 - ours
            return json.load(answer)
    except HTTPError as error:
        raise RefusedError(str(error.code)) from error


def over_grpc(dapr: DaprClient) -> Call:
    """Return the same call over Dapr's gRPC API: headers travel as metadata."""

    def call(
        app_id: str, verb: str, path: str, body: object = None, query: tuple[tuple[str, str], ...] = (), **headers: str
    ) -> Any:
        sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        data = b"" if body is None else json.dumps(body).encode()
        try:
            answer = dapr.invoke_method(
                app_id, path, data, "application/json", metadata=sent, http_verb=verb, http_querystring=query
            )
        except grpc.RpcError as error:
            # What the SDK raises is also a call, which knows its status.
            raise RefusedError(error.code().name) from error  # type: ignore[attr-defined]
        return json.loads(answer.data)

    return call


def shop(call: Call) -> dict[str, Any]:
    """Register, sign in, buy, and look at what each service says of it."""
    account = {"email": f"ada-{uuid4().hex[:12]}@example.org", "password": "a long and unusual password"}
    call("users", "POST", "users", account)
    token = call("users", "POST", "sessions", account)["access_token"]
    mine = {"authorization": f"Bearer {token}"}
    order = {"lines": [{"sku": os.environ["SKU"], "quantity": 1}], "shipping_address": ADDRESS}
    placed = call(
        "orders", "POST", "orders", order | {"payment_method": "pm_card_visa"}, **mine, idempotency_key=uuid4().hex
    )
    paid = wait(lambda: call("orders", "GET", f"orders/{placed['id']}", **mine), lambda it: it["status"] == "paid")
    payments = call("payments", "GET", "payments", query=(("order_id", placed["id"]),), **mine)
    letters = wait(lambda: call("notifications", "GET", "notifications", **mine), lambda it: len(it["items"]) > 1)
    try:
        call("orders", "GET", "internal/orders/amount")
        refused = "nothing"
    except RefusedError as error:
        refused = str(error)
    return {
        "order": paid["id"],
        "status": paid["status"],
        "captured": payments["items"][0]["captured"],
        "letters": sorted(letter["template"] for letter in letters["items"]),
        "refused": refused,
    }


def wait(question: Callable[[], Any], enough: Callable[[Any], bool]) -> Any:
    """Ask until the answer is enough."""
    limit = time.monotonic() + PATIENCE_S
    while not enough(answer := question()):
        if time.monotonic() > limit:
            sys.exit(f"waited {PATIENCE_S} s in vain; last answer: {answer}")
        time.sleep(0.1)
    return answer


def main() -> None:
    """Shop by the transport named on the command line."""
    if sys.argv[1:] == ["http"]:
        print(json.dumps(shop(over_http)))
    elif sys.argv[1:] == ["grpc"]:
        with DaprClient() as dapr:
            print(json.dumps(shop(over_grpc(dapr))))
    else:
        sys.exit("usage: shop.py http|grpc")


if __name__ == "__main__":
    # The SDK's own invocation goes over HTTP unless it is told otherwise.
    os.environ.setdefault("DAPR_API_METHOD_INVOCATION_PROTOCOL", "grpc")
    main()
