"""What the checkout's own files promise beyond working: an operator can read them and put them anywhere."""

import re
from collections.abc import Iterator
from itertools import pairwise

from stack.check import fields, targets
from stack.check.document import Document
from stack.check.finding import Finding

PLACE = re.compile(r"\blocalhost\b|\b\d+\.\d+\.\d+\.\d+\b|:\d{4,5}\b")
SECRET = re.compile(r"(?i)password|secret(?!sfile)|token$|connectionString|credential")
# A policy's number stands on a line of its own.
NUMBER = re.compile(r"^\s+[\w-]+: \"?(-?\d|consecutive|total|requests|[\d,-]+\"$)")
# What two files of one name would be called in the one folder that sidecars watch.
SUFFIXES = ("", "-policies")


def findings(document: Document) -> Iterator[Finding]:
    """Yield what an operator could not read, find or move to another machine."""
    if not document.text.startswith("# "):
        yield document.finding((), "no word of what it is for", "begin it with a comment")
    yield from _name(document)
    if document.kind in {"Component", "Subscription", "HTTPEndpoint"} and not document.scopes:
        yield document.finding((), "no scopes: every sidecar would load it", "name the app-ids that need it")
    if document.kind in {"Component", "HTTPEndpoint"}:
        yield from _literals(document)
    if document.kind == "Resiliency":
        yield from targets.unused(document)
        yield from _reasons(document)


def _name(document: Document) -> Iterator[Finding]:
    allowed = [document.name + suffix for suffix in SUFFIXES]
    # Sentry insists on this one.
    if document.path.stem not in allowed and document.name != "daprsystem":
        said = f"metadata.name is {document.name}, the file's {document.path.stem}"
        yield document.finding(("metadata", "name"), said, f"call the file {document.name}.yaml")


def _literals(document: Document) -> Iterator[Finding]:
    if document.kind == "HTTPEndpoint" and PLACE.search(document.spec["baseUrl"]):
        said = f"{document.spec['baseUrl']} is an address of one machine"
        yield document.finding(("spec", "baseUrl"), said, "write ${SIDECART_...}: the stack fills it in")
    for index, entry in enumerate(document.spec.get("metadata") or []):
        if "value" not in entry:
            continue
        keys, text = ("spec", "metadata", index, "value"), str(entry["value"])
        if fields.sensitive(document, entry["name"]) or SECRET.search(entry["name"]):
            if not entry["name"].casefold().endswith("header"):
                yield document.finding(
                    keys, f"{entry['name']} is in clear", "put it into the secrets, use secretKeyRef"
                )
        elif "\n" not in text and PLACE.search(text):
            yield document.finding(keys, f"{text} is an address of one machine", "use envRef")


def _reasons(document: Document) -> Iterator[Finding]:
    for number, (before, line) in enumerate(pairwise(document.text.splitlines()), 2):
        if NUMBER.match(line) and not before.lstrip().startswith("# "):
            yield Finding(document.path, number, f"no reason for {line.strip()}", "give it in a comment above")
