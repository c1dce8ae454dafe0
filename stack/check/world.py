"""The files that sidecars would load together, and what stands outside them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from stack.check.document import Document


@dataclass(frozen=True)
class Known:
    """What files may refer to that is not in them."""

    app_ids: frozenset[str]
    secrets: frozenset[str]
    environment: frozenset[str]


@dataclass(frozen=True)
class World:
    """Documents that fit their schemas, and the names of files that do not: what refers to those is not wrong too."""

    documents: list[Document]
    known: Known
    broken: frozenset[str] = field(default=frozenset())

    def of(self, *kinds: str) -> list[Document]:
        """Return the documents of some kinds."""
        return [document for document in self.documents if document.kind in kinds]

    @cached_property
    def components(self) -> dict[str, Document]:
        """Return components by name."""
        return {document.name: document for document in self.of("Component")}

    @cached_property
    def app_ids(self) -> frozenset[str]:
        """Return who may load a file: the topology's app-ids and those that have a Configuration."""
        return self.known.app_ids | {it.name for it in self.of("Configuration")} - {"daprsystem"}

    def loaded_by(self, document: Document) -> Iterable[str]:
        """Return the app-ids whose sidecars load *document*."""
        return document.scopes or sorted(self.app_ids)
