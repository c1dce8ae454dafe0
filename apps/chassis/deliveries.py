from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from apps.chassis import card_numbers
from apps.contracts.base import Event


@dataclass(slots=True)
class Delivery:
    """One CloudEvent as the sidecar handed it over; `event` is None where it cannot be read, and `reason` says why."""

    entry_id: str
    id: str
    topic: str
    raw: Any
    event: Event | None
    reason: str = ""


def read(kind: type[Event], entry_id: str, cloud_event: Any, *, cards: bool = True) -> Delivery:
    """Read one CloudEvent as *kind*; never raises. Without *cards*, one that holds a card number is refused, masked."""
    cloud_event, card = (cloud_event, "") if cards else card_numbers.screened(cloud_event)
    fields: Mapping[str, Any] = cloud_event if isinstance(cloud_event, dict) else {}
    identity = str(fields.get("id") or uuid7())
    if card:
        return Delivery(entry_id, identity, kind.topic, cloud_event, None, f"refused: {card} looks like a card number")
    try:
        event = kind.model_validate(fields.get("data"))
    except ValidationError as error:
        return Delivery(entry_id, identity, kind.topic, cloud_event, None, _complaint(error))
    event.arrived_as(identity)
    event.arrived_with(fields.get("traceparent"))
    return Delivery(entry_id, identity, kind.topic, cloud_event, event)


def read_batch(kind: type[Event], body: Any, *, cards: bool = True) -> list[Delivery]:
    """Read what a bulk or a single subscription posts."""
    if isinstance(body, dict) and isinstance(body.get("entries"), list):
        return [read(kind, str(entry.get("entryId", "")), entry.get("event"), cards=cards) for entry in body["entries"]]
    return [read(kind, "", body, cards=cards)]


def _complaint(error: ValidationError) -> str:
    """Name the fields that are wrong and why, without what they hold."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "malformed: " + "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'data'}: {item['msg']}" for item in found[:5]
    )
