import re
from collections.abc import Callable
from typing import Final

from stack.stand_ins.card_processor import endpoints, shapes
from stack.stand_ins.card_processor.book import Json
from stack.stand_ins.card_processor.call import Call
from stack.stand_ins.card_processor.errors import invalid

_LIST: Final = frozenset({"limit", "starting_after", "ending_before", "created"})
_TERM: Final = re.compile(
    r"""\s*(?:metadata\[(['"])(?P<key>[^'"]+)\1\]|(?P<field>status|currency))\s*:\s*(['"])(?P<value>(?:(?!\4).)*)\4\s*"""
)


def one(kind: str) -> Callable[[Call], Json]:
    """Return the handler of `GET .../{id}`."""

    def read(call: Call) -> Json:
        return call.book.get(kind, call.path["id"], "intent" if kind == "pi" else "id")

    return read


def intents(call: Call) -> Json:
    """`GET /v1/payment_intents`, newest first."""
    call.form.allow(_LIST)
    data, more = call.page("pi")
    return shapes.listing("/v1/payment_intents", data, has_more=more)


def refunds(call: Call) -> Json:
    """`GET /v1/refunds`, of all or of one payment."""
    call.form.allow(_LIST | {"payment_intent", "charge"})
    parent, charge = call.form.text("payment_intent"), call.form.text("charge")
    if charge is not None:
        parent = call.book.get("ch", charge, "charge")["payment_intent"]
    data, more = call.page("re", parent)
    return shapes.listing("/v1/refunds", data, has_more=more)


def charges(call: Call) -> Json:
    """`GET /v1/charges`, of all or of one payment."""
    call.form.allow(_LIST | {"payment_intent"})
    data, more = call.page("ch", call.form.text("payment_intent"))
    return shapes.listing("/v1/charges", data, has_more=more)


def events(call: Call) -> Json:
    """`GET /v1/events`, of all types or of one."""
    call.form.allow(_LIST | {"type"})
    data, more = call.page("evt", call.form.text("type"))
    return shapes.listing("/v1/events", data, has_more=more)


def webhook_endpoints(call: Call) -> Json:
    """`GET /v1/webhook_endpoints`."""
    call.form.allow(_LIST)
    data, more = call.page("we")
    return shapes.listing("/v1/webhook_endpoints", [endpoints.shown(each) for each in data], has_more=more)


def webhook_endpoint(call: Call) -> Json:
    """`GET /v1/webhook_endpoints/{id}`."""
    return endpoints.shown(call.book.get("we", call.path["id"]))


def search(call: Call) -> Json:
    """`GET /v1/payment_intents/search`: `metadata['order_id']:'...'`, joined by AND with status and currency."""
    call.form.allow(frozenset({"query", "limit", "page"}))
    labels: list[tuple[str, str]] = []
    fields: dict[str, str] = {}
    for part in call.form.required("query").split(" AND "):
        term = _TERM.fullmatch(part)
        if term is None:
            raise invalid("The query must read metadata['key']:'value', joined by AND with status:'...'", "query")
        if term["key"]:
            labels.append((term["key"], term["value"]))
        else:
            fields[term["field"]] = term["value"]
    if not labels:
        raise invalid("The query must name a metadata field.", "query")
    found = [
        each
        for each in call.book.labelled("pi", *labels[0])
        if all(each["metadata"].get(key) == value for key, value in labels)
        and all(each[name] == value for name, value in fields.items())
    ]
    start = call.form.integer("page", 0, len(found)) or 0
    end = start + (call.form.integer("limit", 1, 100) or 10)
    more = end < len(found)
    return {
        "object": "search_result",
        "url": "/v1/payment_intents/search",
        "has_more": more,
        "next_page": str(end) if more else None,
        "data": found[start:end],
    }
