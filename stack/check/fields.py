"""A component's type, version and fields, against what Dapr says of them."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from stack.check import values
from stack.check.document import Document
from stack.check.finding import Finding, instead_of
from stack.check.schema import SCHEMAS

# Read by the sidecar itself, whatever the product.
SIDECARS: dict[str, tuple[str, ...]] = {
    "bindings": ("direction", "route"),
    "lock": ("keyPrefix",),
    "pubsub": ("consumerID", "allowedTopics", "protectedTopics", "publishingScopes", "subscriptionScopes"),
    "state": (
        "actorStateStore",
        "keyPrefix",
        "outboxDiscardWhenMissingState",
        "outboxPublishPubsub",
        "outboxPublishTopic",
        "outboxPubsub",
    ),
}
SOURCES = ("value", "envRef", "secretKeyRef")
# On a field's line: Dapr reads it and its description does not say so.
UNDOCUMENTED = "# undocumented"


@cache
def types() -> dict[str, Any]:
    """Return type -> version -> what is known of its fields."""
    found: dict[str, Any] = json.loads((SCHEMAS / "types.json").read_text())
    del found["$comment"]
    return found


def described(document: Document) -> dict[str, Any] | None:
    """Return what is known of this component's fields."""
    found: dict[str, Any] | None = types().get(document.spec["type"], {}).get(document.spec["version"])
    return found


def sensitive(document: Document, name: str) -> bool:
    """Tell whether Dapr calls a field secret."""
    fields = (described(document) or {"fields": {}})["fields"]
    return any(field.casefold() == name.casefold() and about.get("sensitive") for field, about in fields.items())


def findings(document: Document) -> Iterator[Finding]:
    """Yield what no sidecar could use in a component."""
    kind, version = document.spec["type"], document.spec["version"]
    if kind not in types():
        same = [name for name in types() if name.partition(".")[0] == kind.partition(".")[0]]
        yield document.finding(("spec", "type"), f"{kind} is no type that Dapr has", instead_of(kind, same or types()))
        return
    if remedy := values.fits(document.spec.get("initTimeout", "0"), "duration"):
        said = f"initTimeout is {document.spec['initTimeout']!r}"
        yield document.finding(("spec", "initTimeout"), said, remedy)
    yield from _sources(document)
    known = types()[kind]
    if not known:
        return
    if version not in known:
        said = f"{kind} has no version {version}"
        yield document.finding(("spec", "version"), said, instead_of(version, known))
        return
    yield from _fields(document, known[version])


def _sources(document: Document) -> Iterator[Finding]:
    """Hold each field to one place that its value comes from, and to one mention."""
    seen: set[str] = set()
    for index, entry in enumerate(document.spec["metadata"]):
        keys, name = ("spec", "metadata", index), entry["name"]
        if name.casefold() in seen:
            yield document.finding(keys, f"{name} stands twice", "keep one")
        seen.add(name.casefold())
        given = [source for source in SOURCES if source in entry]
        if len(given) != 1:
            said = f"{name} has {' and '.join(given) or 'no value'}"
            yield document.finding(keys, said, f"give it one of {', '.join(SOURCES)}")


def _fields(document: Document, known: dict[str, Any]) -> Iterator[Finding]:
    kind, about = document.spec["type"], {name.casefold(): field for name, field in known["fields"].items()}
    given = {entry["name"].casefold() for entry in document.spec["metadata"]}
    for index, entry in enumerate(document.spec["metadata"]):
        yield from _value(document, index, about.get(entry["name"].casefold(), {}))
    for name, field in known["fields"].items():
        if field.get("required") and name.casefold() not in given:
            yield document.finding(("spec", "metadata"), f"{kind} needs the field {name}", "add it")


def unknown(document: Document) -> Iterator[Finding]:
    """Yield fields that a sidecar would ignore, as far as Dapr's descriptions tell."""
    known, kind = described(document), document.spec["type"]
    if known is None:
        return
    names = [*known["fields"], *known["also"], *SIDECARS.get(kind.partition(".")[0], ())]
    accepted = {name.casefold() for name in names}
    lines = document.text.splitlines()
    for index, entry in enumerate(document.spec["metadata"]):
        keys, name = ("spec", "metadata", index), entry["name"]
        if name.casefold() not in accepted and UNDOCUMENTED not in lines[document.line(*keys) - 1]:
            remedy = f"{instead_of(name, known['fields'])} (`{UNDOCUMENTED}` on its line lets it be)"
            yield document.finding(keys, f"{name} is no field that {kind} documents", remedy)


def _value(document: Document, index: int, field: dict[str, Any]) -> Iterator[Finding]:
    entry = document.spec["metadata"][index]
    if entry.get("value") is None:
        return
    raw = entry["value"]
    text = str(raw).lower() if isinstance(raw, bool) else str(raw)
    keys = ("spec", "metadata", index, "value")
    if field.get("allowed") and text.casefold() not in map(str.casefold, field["allowed"]):
        yield document.finding(keys, f"{entry['name']} is {text!r}", instead_of(text, field["allowed"]))
    elif remedy := values.fits(text, field.get("type", "")):
        yield document.finding(keys, f"{entry['name']} is {text!r}", remedy)
