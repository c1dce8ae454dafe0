"""Policies: what a sidecar cannot read of them makes it forget the whole file."""

import re
from collections.abc import Iterator

from stack.check import values
from stack.check.document import Document
from stack.check.finding import Finding, instead_of

# Policies with these names count without being named by a target.
DEFAULTS = re.compile(
    r"Default(|App|Actor|(Statestore|Pubsub|Binding|Secretstore|Lock|Configuration|Crypto|Conversation|)Component(|Inbound|Outbound))"
    r"(Retry|Timeout|CircuitBreaker)Policy"
)
BUILT_IN = {
    f"DaprBuiltIn{name}Retries" for name in ("Service", "Actor", "ActorReminder", "ActorNotFound", "Initialization")
}
SHAPES = ("constant", "exponential")


def findings(document: Document) -> Iterator[Finding]:
    """Yield what a sidecar could not read in the policies of one file."""
    yield from _timeouts(document)
    yield from _retries(document)
    yield from _breakers(document)
    for group, policies in document.spec["policies"].items():
        for name in policies:
            if name.startswith(("Default", "DaprBuiltIn")) and not DEFAULTS.fullmatch(name) and name not in BUILT_IN:
                keys = ("spec", "policies", group, name)
                examples = [*BUILT_IN, "DefaultTimeoutPolicy", "DefaultAppTimeoutPolicy", "DefaultAppRetryPolicy"]
                yield document.finding(keys, f"{name} is no default of Dapr's", instead_of(name, examples))


def _timeouts(document: Document) -> Iterator[Finding]:
    for name in document.spec["policies"].get("timeouts", {}):
        yield from _duration(document, ("spec", "policies", "timeouts", name))


def _retries(document: Document) -> Iterator[Finding]:
    for name, retry in document.spec["policies"].get("retries", {}).items():
        keys = ("spec", "policies", "retries", name)
        for field in ("duration", "maxInterval"):
            if field in retry:
                yield from _duration(document, (*keys, field))
        shape = retry.get("policy", "constant")
        if shape.lower() not in SHAPES:
            yield document.finding((*keys, "policy"), f"policy is {shape}", instead_of(shape, SHAPES))
        for field, valid in (("httpStatusCodes", values.HTTP_CODES), ("gRPCStatusCodes", values.GRPC_CODES)):
            text = retry.get("matching", {}).get(field, "")
            if text and (wrong := values.wrong_codes(text, valid)):
                said = f"{field} has {', '.join(map(repr, wrong))}"
                remedy = f"write codes and ranges from {valid[0]} to {valid[-1]}, with commas and no spaces"
                yield document.finding((*keys, "matching", field), said, remedy)


def _breakers(document: Document) -> Iterator[Finding]:
    for name, breaker in document.spec["policies"].get("circuitBreakers", {}).items():
        keys = ("spec", "policies", "circuitBreakers", name)
        for field in ("interval", "timeout"):
            if field in breaker:
                yield from _duration(document, (*keys, field))
        if "trip" not in breaker:
            continue
        unknown = values.unknown_counts(breaker["trip"])
        if unknown is None:
            said = f"trip is {breaker['trip']!r}, no condition"
            yield document.finding((*keys, "trip"), said, "write one such as consecutiveFailures >= 5")
        for word in unknown or ():
            yield document.finding((*keys, "trip"), f"trip speaks of {word}", instead_of(word, values.COUNTS))


def _duration(document: Document, keys: tuple[str, ...]) -> Iterator[Finding]:
    value = document.body
    for key in keys:
        value = value[key]
    if not values.is_duration(str(value)):
        remedy = "write a duration such as 500ms, 10s or 2m (there are no days)"
        yield document.finding(keys, f"{'.'.join(keys[2:])} is {value!r}", remedy)
