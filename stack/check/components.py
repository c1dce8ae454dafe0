"""What components and HTTP endpoints take from elsewhere: secrets, addresses, app-ids."""

from collections.abc import Iterator

from stack.check.document import Document
from stack.check.finding import Finding, instead_of
from stack.check.world import World

TOPIC_SCOPES = ("publishingscopes", "subscriptionscopes")
# Kubernetes' own, which no component file has to name.
BUILT_IN_STORE = "kubernetes"
URLS = ("http://", "https://", "${")


def findings(document: Document, world: World) -> Iterator[Finding]:
    """Yield references that lead nowhere."""
    if document.kind == "HTTPEndpoint" and not document.spec["baseUrl"].startswith(URLS):
        said = f"baseUrl is {document.spec['baseUrl']!r}"
        yield document.finding(("spec", "baseUrl"), said, "start it with http:// or https://")
    field = "headers" if document.kind == "HTTPEndpoint" else "metadata"
    for index, entry in enumerate(document.spec.get(field) or []):
        keys = ("spec", field, index)
        if "envRef" in entry and entry["envRef"] not in world.known.environment:
            said = f"no sidecar is told {entry['envRef']!r}"
            yield document.finding((*keys, "envRef"), said, instead_of(entry["envRef"], world.known.environment))
        if "secretKeyRef" in entry:
            yield from _secret(document, world, keys)
        if entry["name"].casefold() in TOPIC_SCOPES and isinstance(entry.get("value"), str):
            yield from _topic_scopes(document, world, (*keys, "value"), entry["value"])


def _secret(document: Document, world: World, keys: tuple[str, str, int]) -> Iterator[Finding]:
    reference = document.spec[keys[1]][keys[2]]["secretKeyRef"]
    for part in ("name", "key"):
        if part in reference and reference[part] not in world.known.secrets:
            said = f"there is no secret {reference[part]}"
            yield document.finding(
                (*keys, "secretKeyRef", part), said, instead_of(reference[part], world.known.secrets)
            )
            break
    store = (document.body.get("auth") or {}).get("secretStore")
    stores = {it.name: it for it in world.of("Component") if it.spec["type"].startswith("secretstores.")}
    if store is None:
        yield document.finding((*keys, "secretKeyRef"), "no auth.secretStore says where secrets are", "add it")
    elif store in stores:
        for app_id in document.scopes:
            if app_id in world.app_ids and not stores[store].reaches(app_id):
                remedy = f"add {app_id} to the scopes of {stores[store].path.name}"
                yield document.finding(("auth", "secretStore"), f"{app_id} does not load {store}", remedy)
    elif store not in world.broken | {BUILT_IN_STORE}:
        yield document.finding(("auth", "secretStore"), f"{store} is no secret store", instead_of(store, stores))


def _topic_scopes(document: Document, world: World, keys: tuple[str | int, ...], text: str) -> Iterator[Finding]:
    for rule in filter(None, (part.strip() for part in text.split(";"))):
        app_id, equals, _ = rule.partition("=")
        if not equals:
            yield document.finding(keys, f"{rule!r} is no rule", "write app-id=topic,topic;app-id=topic")
        elif app_id not in world.app_ids:
            yield document.finding(keys, f"{app_id} is no app-id", instead_of(app_id, world.app_ids))
