"""Schemas of events are promises: a change here is seen, argued and written into the published files on purpose.

`python -m tests.contract.test_events` writes them anew.
"""

import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import apps.contracts
from apps.contracts.base import Event
from tests.support.documents import CHECKOUT
from tests.support.services import NAMES, service

GOLDEN = CHECKOUT / "docs" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def published() -> dict[str, type[Event]]:
    """Return every event class that has a topic, by topic."""
    for module in pkgutil.iter_modules(apps.contracts.__path__):
        importlib.import_module(f"apps.contracts.{module.name}")
    found: dict[str, type[Event]] = {}
    waiting: list[type[Event]] = [Event]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("apps.contracts.") and "topic" in vars(kind):
            assert kind.topic not in found, f"two events share the topic {kind.topic}"
            found[kind.topic] = kind
    return found


EVENTS = published()


def schema(kind: type[Event]) -> Any:
    about = {"$schema": DIALECT, "$id": kind.topic, "x-pubsub": kind.pubsub, "x-aggregate": kind.aggregate}
    return about | kind.model_json_schema(mode="serialization")


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_a_published_schema_does_not_change_by_accident(topic: str) -> None:
    golden = GOLDEN / f"{topic}.json"
    assert golden.exists(), f"run python -m {__name__} and review {golden.name}"
    assert schema(EVENTS[topic]) == json.loads(golden.read_text())


def test_no_golden_file_outlives_its_event() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(EVENTS)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_a_published_schema_is_one_that_any_language_can_use(file: Path) -> None:
    published_schema = json.loads(file.read_text())
    assert published_schema["$schema"] == DIALECT
    Draft202012Validator.check_schema(published_schema)
    assert not Draft202012Validator(published_schema).is_valid({})


@pytest.mark.parametrize("name", NAMES)
def test_every_handler_listens_to_a_published_event(name: str) -> None:
    for topic, subscriber in service(name).handlers.subscribers.items():
        assert EVENTS[topic] is subscriber.event


@pytest.mark.parametrize("kind", EVENTS.values(), ids=sorted(EVENTS))
def test_every_event_names_its_aggregate_among_its_fields(kind: type[Event]) -> None:
    assert kind.aggregate in kind.model_fields
    assert "sequence" in kind.model_fields


if __name__ == "__main__":
    for old in GOLDEN.glob("*.json"):
        old.unlink()
    for topic, kind in EVENTS.items():
        (GOLDEN / f"{topic}.json").write_text(json.dumps(schema(kind), indent=2, sort_keys=True) + "\n")
    sys.stdout.write(f"{len(EVENTS)} schemas written to {GOLDEN}\n")
