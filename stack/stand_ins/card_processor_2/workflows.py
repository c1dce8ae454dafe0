import secrets
from typing import Final
from urllib.parse import urlsplit

import orjson

from stack.stand_ins.card_processor_2.api import Call, Handler, Refused
from stack.stand_ins.card_processor_2.book import Json, new_id

_SCHEMES: Final = ("http", "https")


def create(secret: str) -> Handler:
    """Return `POST /workflows`: where events go from now on; without a key of its own, *secret* signs."""

    def handler(call: Call) -> tuple[int, Json]:
        actions = call.body.get("actions")
        action = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
        url = action.get("url")
        if action.get("type") != "webhook" or not isinstance(url, str) or not _is_web_address(url):
            raise Refused(422, "workflow_action_url_invalid")
        signature = action.get("signature")
        key = signature.get("key") if isinstance(signature, dict) else None
        made: Json = {"id": new_id("wf"), "name": str(call.body.get("name") or ""), "active": True, "url": url}
        made["key"] = str(key or secret or secrets.token_hex(16))
        call.book.db.execute("INSERT INTO workflows VALUES (?, ?)", (made["id"], orjson.dumps(made)))
        return 201, {"id": made["id"], "_links": {"self": {"href": f"{call.origin}/workflows/{made['id']}"}}}

    return handler


def listed(call: Call) -> tuple[int, Json]:
    """`GET /workflows`: without their keys."""
    rows = call.book.db.execute("SELECT body FROM workflows ORDER BY id").fetchall()
    kept = [orjson.loads(row[0]) for row in rows]
    return 200, {"data": [{name: value for name, value in each.items() if name != "key"} for each in kept]}


def remove(call: Call) -> tuple[int, Json]:
    """`DELETE /workflows/{id}`: what is still queued for it is dropped."""
    found = call.book.db.execute("DELETE FROM workflows WHERE id = ? RETURNING id", (call.path["id"],)).fetchone()
    if found is None:
        raise Refused(404)
    call.book.db.execute("DELETE FROM deliveries WHERE workflow = ?", (call.path["id"],))
    return 204, {}


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.hostname)
