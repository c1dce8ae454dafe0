"""Configurations: words whose misspelling a sidecar takes for a refusal or for nothing."""

from collections.abc import Iterator
from difflib import get_close_matches

from stack.check import fields
from stack.check.document import Document, Key
from stack.check.finding import Finding, instead_of
from stack.check.world import World

ACTIONS = ("allow", "deny")
VERBS = ("*", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
PROTOCOLS = ("http", "grpc")
APIS = (
    *("actors", "bindings", "configuration", "conversation", "crypto", "healthz", "invoke", "jobs", "lock", "metadata"),
    *("publish", "secrets", "shutdown", "state", "subscribe", "subtlecrypto", "unlock", "workflows"),
)
FEATURES = (
    "ActorStateTTL",
    "HotReload",
    "WorkflowHistorySigning",
    "WorkflowsClusteredDeployment",
    "WorkflowsRemoteActivityReminder",
)
NEAR = 0.75


def findings(document: Document, world: World) -> Iterator[Finding]:
    """Yield words that mean nothing to a sidecar, and names that lead nowhere."""
    for keys, word, known in _words(document):
        if word not in known:
            yield document.finding(keys, f"{keys[-1]} is {word!r}", instead_of(word, known))
    yield from _pipelines(document, world)
    yield from _secrets(document, world)
    yield from _callers(document, world)


def _words(document: Document) -> Iterator[tuple[tuple[Key, ...], str, tuple[str, ...]]]:
    """Yield each word that is one of a few, with those few."""
    control = document.spec.get("accessControl", {})
    at: tuple[Key, ...] = ("spec", "accessControl")
    if "defaultAction" in control:
        yield (*at, "defaultAction"), control["defaultAction"], ACTIONS
    for index, policy in enumerate(control.get("policies", [])):
        if "defaultAction" in policy:
            yield (*at, "policies", index, "defaultAction"), policy["defaultAction"], ACTIONS
        for number, operation in enumerate(policy.get("operations", [])):
            here = (*at, "policies", index, "operations", number)
            yield (*here, "action"), operation["action"], ACTIONS
            for verb in operation.get("httpVerb", []):
                yield (*here, "httpVerb"), verb.upper(), VERBS
    for way in ("allowed", "denied"):
        for index, rule in enumerate(document.spec.get("api", {}).get(way, [])):
            yield ("spec", "api", way, index, "name"), rule["name"], APIS
            yield ("spec", "api", way, index, "protocol"), rule.get("protocol", "http"), PROTOCOLS
    for index, feature in enumerate(document.spec.get("features", [])):
        yield ("spec", "features", index, "name"), feature["name"], FEATURES
    for index, scope in enumerate(document.spec.get("secrets", {}).get("scopes", [])):
        yield ("spec", "secrets", "scopes", index, "defaultAccess"), scope.get("defaultAccess", "allow"), ACTIONS


def _pipelines(document: Document, world: World) -> Iterator[Finding]:
    """Look for handlers that would not be loaded: a pipeline leaves them out, and requests pass."""
    for pipeline in ("httpPipeline", "appHttpPipeline"):
        for index, handler in enumerate(document.spec.get(pipeline, {}).get("handlers", [])):
            keys, name = ("spec", pipeline, "handlers", index), handler["name"]
            if name in world.broken:
                continue
            component = world.components.get(name)
            if component is None:
                known = [it.name for it in world.of("Component") if it.spec["type"].startswith("middleware.")]
                yield document.finding(keys, f"there is no component {name}", instead_of(name, known))
            elif component.spec["type"] != handler["type"]:
                said = f"{name} is a {component.spec['type']}, not a {handler['type']}"
                yield document.finding((*keys, "type"), said, f"write {component.spec['type']}")
            elif not component.reaches(document.name):
                said = f"{document.name} does not load {name}"
                yield document.finding(keys, said, f"add {document.name} to the scopes of {component.path.name}")
    resolver = document.spec.get("nameResolution", {}).get("component")
    known = [name.partition(".")[2] for name in fields.types() if name.startswith("nameresolution.")]
    if resolver is not None and resolver not in known:
        at = ("spec", "nameResolution", "component")
        yield document.finding(at, f"{resolver} resolves no names", instead_of(resolver, known))


def _secrets(document: Document, world: World) -> Iterator[Finding]:
    stores = {it.name for it in world.of("Component") if it.spec["type"].startswith("secretstores.")}
    for index, scope in enumerate(document.spec.get("secrets", {}).get("scopes", [])):
        keys = ("spec", "secrets", "scopes", index)
        if scope["storeName"] not in stores | world.broken:
            said = f"{scope['storeName']} is no secret store"
            yield document.finding((*keys, "storeName"), said, instead_of(scope["storeName"], stores))
        for way in ("allowedSecrets", "deniedSecrets"):
            for number, name in enumerate(scope.get(way, [])):
                if name not in world.known.secrets:
                    said = f"there is no secret {name}"
                    yield document.finding((*keys, way, number), said, instead_of(name, world.known.secrets))


def _callers(document: Document, world: World) -> Iterator[Finding]:
    """Take what is nearly one of our app-ids for a slip; any other may be a client's own sidecar."""
    for index, policy in enumerate(document.spec.get("accessControl", {}).get("policies", [])):
        name = policy["appId"]
        if name not in world.app_ids and get_close_matches(name, world.app_ids, n=1, cutoff=NEAR):
            keys = ("spec", "accessControl", "policies", index, "appId")
            yield document.finding(keys, f"{name} is no app-id", instead_of(name, world.app_ids))
