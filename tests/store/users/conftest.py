import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import text
from uuid_utils.compat import uuid7

from apps.chassis.app import Chassis, create_app
from apps.chassis.database import Database, engine_for
from apps.chassis.outbox import Envelope
from apps.chassis.tokens import Tokens
from apps.users import rotation
from apps.users.app import SERVICE
from apps.users.keys import open_signer
from apps.users.means import Means
from apps.users.passwords import Passwords
from apps.users.sealing import Sealer
from apps.users.settings import UsersSettings
from tests.support.asgi import APP_TOKEN, Reply, call

ISSUER = "http://issuer"
KEK = bytes(range(32))
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "a long and unusual password"


class Tally:
    """How often what is throttled may have passed: the free times and one, then once for each second that it took."""

    def __init__(self, free: int) -> None:
        self._least, self._began = free + 1, time.monotonic()

    def __contains__(self, count: object) -> bool:
        return isinstance(count, int) and self._least <= count <= self._least + int(time.monotonic() - self._began)


@dataclass
class Home:
    """The users service on a database of its own, called as its sidecar would call it."""

    app: FastAPI
    means: Means

    @property
    def database(self) -> Database:
        return self.means.database

    def set(self, **settings: Any) -> None:
        """Tell the service something else from now on."""
        object.__setattr__(self.means, "settings", self.means.settings.model_copy(update=settings))

    async def call(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named["authorization"] = f"Bearer {token}"
        return await call(self.app, method, path, body, named)

    async def register(self, email: str = "ada@example.org", password: str = PASSWORD, **fields: Any) -> Reply:
        return await self.call("POST", "/users", {"email": email, "password": password, **fields})

    async def sign_in(
        self, email: str = "ada@example.org", password: str = PASSWORD, address: str = "192.0.2.1", **more: str
    ) -> Reply:
        said = {"email": email, "password": password, **more}
        return await self.call("POST", "/sessions", said, x_forwarded_for=f"{address}, 127.0.0.1")

    async def refresh(self, token: str) -> Reply:
        return await self.call("POST", "/sessions/refresh", {"refresh_token": token})

    def operator(self, role: str, user_id: UUID | None = None) -> str:
        """Return a token as the operator gets it, without a session behind it."""
        return self.means.signer.issue(user_id or uuid7(), [role], timedelta(minutes=5), email_verified=True)

    async def mailed(self, topic: str, **fields: str) -> str:
        """Return the newest token that was to be mailed."""
        tokens = [
            data["token"]
            for published, data in await self.published()
            if published == topic and fields.items() <= data.items()
        ]
        return str(tokens[-1])

    async def trail(self) -> list[tuple[str, str]]:
        """Return action and outcome of all that the audit trail holds, oldest first."""
        return [(row.action, row.outcome) for row in await self.rows("SELECT * FROM audit_events ORDER BY id")]

    async def published(self) -> list[tuple[str, dict[str, Any]]]:
        """Return topic and data of what is to leave, in the order in which it was recorded."""
        async with self.database.transaction() as tx:
            rows = (await tx.execute(text("SELECT id, envelope FROM outbox ORDER BY id"))).all()
        opened = [Envelope.load(row.id, self.database.codec.open(row.envelope, f"outbox:{row.id}")) for row in rows]
        return [(envelope.topic, orjson.loads(envelope.data)) for envelope in opened]

    async def change(self, statement: str) -> None:
        async with self.database.transaction() as tx:
            await tx.execute(text(statement))

    async def rows(self, query: str) -> list[Any]:
        async with self.database.transaction() as tx:
            return list(await tx.execute(text(query)))


@asynccontextmanager
async def open_home(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Home]:
    """Put the service on a database, as one replica of it."""
    given = {"APP_PORT": "1", "APP_API_TOKEN": APP_TOKEN, "TOKEN_ISSUER": ISSUER, "USERS_EVEN_ANSWERS": "PT0S"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings, sealer = UsersSettings.load(), Sealer(KEK)
    database = Database(engine_for(url, pool_size=10), sealer)
    async with database.transaction() as tx:
        signer = await open_signer(tx, database.codec, ISSUER)
    means = Means(settings, database, Passwords(20, QUICK), signer, sealer)
    app = create_app(SERVICE, settings)
    nothing: Any = None
    tokens = Tokens(ISSUER, database, lambda: rotation.reload(means))
    app.state.chassis = Chassis(settings, nothing, database, database.codec, nothing, tokens, means)
    yield Home(app, means)
    means.passwords.close()
    await database.close()


@pytest.fixture
async def home(database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Home]:
    async with open_home(database_for("users"), monkeypatch) as opened:
        yield opened
