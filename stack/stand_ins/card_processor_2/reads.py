from datetime import UTC, datetime
from typing import Any, Final

from stack.stand_ins.card_processor_2.api import Call, Refused
from stack.stand_ins.card_processor_2.book import Json
from stack.stand_ins.card_processor_2.payments import shown

_MOST: Final = 1000


def by_reference(call: Call) -> tuple[int, Json]:
    """`GET /payments?reference=`: what carries the caller's reference."""
    reference = call.query.get("reference")
    if not reference:
        raise Refused(422, "reference_required")
    limit, skip = _number(call.query.get("limit"), 10), _number(call.query.get("skip"), 0)
    found = call.book.listed("reference = ?", (reference,), limit, skip)
    query = "SELECT count(*) FROM payments WHERE reference = ?"
    (total,) = call.book.db.execute(query, (reference,)).fetchone()
    return 200, {"limit": limit, "skip": skip, "total_count": total, "data": [shown(each, []) for each in found]}


def one(call: Call) -> tuple[int, Json]:
    """`GET /payments/{id}`."""
    made = call.payment()
    return 200, shown(made, call.book.actions(made["id"]))


def actions(call: Call) -> tuple[int, list[Json]]:
    """`GET /payments/{id}/actions`: newest first."""
    return 200, call.book.actions(call.payment()["id"])


def search(call: Call) -> tuple[int, Json]:
    """`POST /payments/search` between two times; of the query language only nothing at all is understood."""
    if call.body.get("query"):
        raise Refused(422, "query_not_supported")
    bounds = _moment(call.body.get("from")), _moment(call.body.get("to"))
    limit, skip = _number(call.body.get("limit"), 100), _number(call.query.get("after"), 0)
    found = call.book.listed("requested_on >= ? AND requested_on < ?", bounds, limit + 1, skip)
    links: Json = {"self": {"href": f"{call.origin}/payments/search"}}
    if len(found) > limit:
        links["next"] = {"href": f"{call.origin}/payments/search?after={skip + limit}"}
    data = [shown(each, call.book.actions(each["id"])) for each in found[:limit]]
    return 200, {"data": data, "_links": links}


def _number(given: Any, default: int) -> int:
    if given is None:
        return default
    text = str(given)
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= _MOST * _MOST):
        raise Refused(422, "limit_invalid")
    return min(int(text[:9]), _MOST * _MOST)


def _moment(given: Any) -> str:
    """Return a time in the form that is stored, so that texts compare as times do."""
    try:
        at = datetime.fromisoformat(str(given)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(422, "from_or_to_invalid") from None
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
