import secrets
from typing import Final
from urllib.parse import urlsplit

from stack.stand_ins.card_processor.book import Json, new_id, now
from stack.stand_ins.card_processor.call import Call
from stack.stand_ins.card_processor.errors import invalid

_CREATE: Final = frozenset({"url", "enabled_events", "description", "metadata", "api_version"})


def create(call: Call, secret: str) -> Json:
    """`POST /v1/webhook_endpoints`; the answer alone shows the secret that signs (made up if *secret* is empty)."""
    call.form.allow(_CREATE)
    url, events = call.form.required("url"), call.form.many("enabled_events")
    if not _is_web_address(url):
        raise invalid("Invalid URL: it must begin with http:// or https:// and name a host", "url", "url_invalid")
    if not events:
        raise invalid("Missing required param: enabled_events.", "enabled_events", "parameter_missing")
    made: Json = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": None,
        "created": now(),
        "description": call.form.text("description"),
        "enabled_events": events,
        "livemode": False,
        "metadata": call.form.metadata(),
        "secret": secret or f"whsec_{secrets.token_hex(16)}",
        "status": "enabled",
        "url": url,
    }
    call.book.add("we", made)
    call.events.reload()
    return made


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def remove(call: Call) -> Json:
    """`DELETE /v1/webhook_endpoints/{id}`: what is still queued for it is dropped."""
    key = call.book.get("we", call.path["id"])["id"]
    call.book.remove(key)
    call.events.reload()
    return {"id": key, "object": "webhook_endpoint", "deleted": True}


def shown(endpoint: Json) -> Json:
    """Return an endpoint as reads show it: without its secret."""
    return {name: value for name, value in endpoint.items() if name != "secret"}
