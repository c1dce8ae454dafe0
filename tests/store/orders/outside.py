"""What stands around the orders service in a test: its sidecar, and whoever signs tokens."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.chassis.auth import Principal
from apps.chassis.database import Database
from apps.chassis.sidecar import Answer, Document, SidecarError, StoreMissingError


class Papers:
    """A document store in memory, which sees whether somebody calls it from within a transaction."""

    def __init__(self, database: Database) -> None:
        self.kept: dict[str, bytes] = {}
        self.others: dict[str, dict[str, bytes]] = {}
        """What stores beside the one in use hold, by component."""
        self.form: Callable[[bytes], bytes] = bytes
        """What a store makes of a document that it is given."""
        self.behind = 0
        """How many reads of a store beside the one in use do not know yet what was written last."""
        self.away = False
        self.reads = 0
        self.payments: dict[str, Answer] = {}
        self._pool: Any = database.engine.pool

    def _called(self) -> None:
        if self._pool.size() == 1:
            assert self._pool.checkedout() == 0, "called out within a transaction"
        if self.away:
            raise SidecarError("away")

    def _store(self, name: str) -> dict[str, bytes]:
        if name != "order-details" and name not in self.others:
            raise StoreMissingError(name)
        return self.others.get(name, self.kept)

    async def put_documents(self, store: str, documents: Mapping[str, bytes], _ttl_s: int | None = None) -> None:
        self._called()
        self._store(store).update({key: self.form(value) for key, value in documents.items()})

    async def get_documents(self, store: str, keys: Sequence[str]) -> dict[str, Document]:
        self._called()
        self.reads += 1
        kept = self._store(store)
        if kept and store in self.others and self.behind:
            self.behind -= 1
            return {}
        return {key: Document(kept[key], "1") for key in keys if key in kept}

    async def delete_document(self, store: str, key: str) -> None:
        self._called()
        self._store(store).pop(key, None)

    async def invoke(self, _app: str, _method: str, _path: str, *, query: Mapping[str, str]) -> Answer:
        self._called()
        return self.payments.get(query["order_id"], Answer(404, b"{}"))


class Badges:
    """Takes `role:id` for a token."""

    async def principal(self, authorization: str | None) -> Principal:
        role, _, person = (authorization or "").removeprefix("Bearer ").partition(":")
        return Principal(UUID(person), frozenset({role}), frozenset(), email_verified=True, session_id=None)
