"""What stands for the sidecar of notifications: its bindings, its secrets, and a store of undelivered messages."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from apps.chassis.sidecar import Answer, Document, SidecarError
from apps.contracts.users import UserChanged


@dataclass
class FakeSidecar:
    """Keeps what is sent through it, notes how many calls run at once, and can be told to fail or to hang."""

    sent: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    down: dict[str, Exception] = field(default_factory=dict)
    components: set[str] = field(default_factory=lambda: {"email", "email-2", "sms", "push"})
    tried: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=lambda: {"notifications-kek": "a secret"})
    known: dict[UUID, UserChanged] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    users_error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    running: dict[str, int] = field(default_factory=dict)
    most_at_once: int = 0
    lists: bool = True
    """Whether its mail components know lists, as our own do."""
    list_errors: list[Exception] = field(default_factory=list)
    begins: int | None = None
    """How many mails of a list it begins, where it is slow."""
    odd_answer: bytes | None = None
    """What it says of a list in place of what became of each."""
    together: list[int] = field(default_factory=list)
    """How many mails each list held that it took."""

    def __post_init__(self) -> None:
        self.gate.set()

    async def bind(self, name: str, operation: str, data: Any, metadata: dict[str, str]) -> bytes:
        assert operation == "create"
        self.tried.append(name)
        self.running[name] = self.running.get(name, 0) + 1
        self.most_at_once = max(self.most_at_once, self.running[name])
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            if name not in self.components:
                raise SidecarError(f"binding {name}: couldn't find output binding {name}")
            if name in self.down:
                raise self.down[name]
            if self.errors:
                raise self.errors.pop(0)
            self.sent.append((name, metadata, data))
            return b""
        finally:
            self.running[name] -= 1

    async def bind_bytes(self, name: str, operation: str, data: bytes) -> bytes:
        assert operation == "createMany"
        if name in self.components and not self.lists:
            raise SidecarError(f"binding {name}: binding {name} does not support operation {operation}")
        if self.list_errors:
            raise self.list_errors.pop(0)
        calls = orjson.loads(data)
        answers = ["not begun"] * len(calls)
        for place, call in enumerate(calls[: self.begins]):
            try:
                await self.bind(name, "create", **call)
                answers[place] = ""
            except SidecarError as error:
                answers[place] = str(error)
        self.together.append(len(calls))
        return self.odd_answer or orjson.dumps(answers)

    async def invoke(self, app_id: str, method: str, path: str, *, query: dict[str, str]) -> Answer:
        assert (app_id, method, path) == ("users", "GET", "/internal/users/contact")
        if self.users_error:
            raise self.users_error
        found = self.known.get(UUID(query["id"]))
        return Answer(200, found.model_dump_json().encode()) if found else Answer(404, orjson.dumps({}))

    async def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise SidecarError(f"secret {name} cannot be read")
        return self.secrets[name]

    @property
    def recipients(self) -> list[str]:
        return [metadata["emailTo"] for _, metadata, _ in self.sent]


@dataclass
class FakeDocuments:
    """A state store in memory that can be away."""

    kept: dict[str, bytes] = field(default_factory=dict)
    ttl_s: int | None = None
    away: bool = False

    async def put(self, component: str, documents: Mapping[str, bytes], ttl_s: int | None = None) -> None:
        assert component == "undelivered"
        if self.away:
            raise SidecarError("writing to undelivered failed")
        self.ttl_s = ttl_s
        self.kept |= documents

    async def read(self, component: str, keys: Sequence[str]) -> dict[str, Document]:
        assert component == "undelivered"
        return {key: Document(self.kept[key], "1") for key in keys if key in self.kept}

    async def remove(self, component: str, keys: Sequence[str]) -> None:
        assert component == "undelivered"
        for key in keys:
            self.kept.pop(key, None)
