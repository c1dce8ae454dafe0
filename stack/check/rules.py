"""Every rule that a set of files must keep for sidecars to do what the files say."""

from collections.abc import Iterator

from stack.check import components, configurations, fields, resiliency, schema, subscriptions, targets
from stack.check.document import Document
from stack.check.finding import Finding, instead_of
from stack.check.world import World


def alone(document: Document) -> Iterator[Finding]:
    """Yield what is wrong with a file whatever lies beside it: no sidecar can use it as it is."""
    misfits = list(schema.findings(document))
    yield from misfits
    if misfits:
        return
    if document.kind == "Component":
        yield from fields.findings(document)
    elif document.kind == "Resiliency":
        yield from resiliency.findings(document)


def together(world: World) -> Iterator[Finding]:
    """Yield references that lead nowhere, and what sidecars would quietly pass over."""
    for document in world.documents:
        yield from _scopes(document, world)
        if document.kind == "Component":
            yield from fields.unknown(document)
        if document.kind in {"Component", "HTTPEndpoint"}:
            yield from components.findings(document, world)
        elif document.kind == "Subscription":
            yield from subscriptions.findings(document, world)
        elif document.kind == "Resiliency":
            yield from targets.findings(document, world)
        else:
            yield from configurations.findings(document, world)


def twins(documents: list[Document]) -> Iterator[Finding]:
    """Yield the second of two files with one kind and name: sidecars that load them end."""
    first: dict[tuple[str, str], Document] = {}
    for document in documents:
        holder = first.setdefault((document.kind, document.name), document)
        if holder is not document:
            said = f"{document.kind} {document.name} is in {holder.path.name} already: sidecars would end"
            yield document.finding(("metadata", "name"), said, "rename or remove one")


def _scopes(document: Document, world: World) -> Iterator[Finding]:
    for index, app_id in enumerate(document.scopes):
        if app_id not in world.app_ids | world.broken:
            yield document.finding(("scopes", index), f"{app_id} is no app-id", instead_of(app_id, world.app_ids))
