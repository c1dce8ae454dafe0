from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import text

from apps.chassis.app import Chassis, create_app
from apps.chassis.database import Database, engine_for
from apps.chassis.outbox import Envelope
from apps.chassis.tokens import Tokens
from apps.users.app import SERVICE
from apps.users.keys import open_signer
from apps.users.passwords import Passwords
from apps.users.sealing import Sealer
from apps.users.settings import UsersSettings
from apps.users.use_cases import Means
from tests.support.asgi import APP_TOKEN, Reply, call

ISSUER = "http://issuer"
KEK = bytes(range(32))
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "a long and unusual password"


@dataclass
class Home:
    """The users service on a database of its own, called as its sidecar would call it."""

    app: FastAPI
    means: Means

    @property
    def database(self) -> Database:
        return self.means.database

    async def call(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named["authorization"] = f"Bearer {token}"
        return await call(self.app, method, path, body, named)

    async def register(self, email: str = "ada@example.org", password: str = PASSWORD, **fields: Any) -> Reply:
        return await self.call("POST", "/users", {"email": email, "password": password, **fields})

    async def sign_in(self, email: str = "ada@example.org", password: str = PASSWORD) -> Reply:
        return await self.call("POST", "/sessions", {"email": email, "password": password})

    async def refresh(self, token: str) -> Reply:
        return await self.call("POST", "/sessions/refresh", {"refresh_token": token})

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


@pytest.fixture
async def home(database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Home]:
    for name, value in {"APP_PORT": "1", "APP_API_TOKEN": APP_TOKEN, "TOKEN_ISSUER": ISSUER}.items():
        monkeypatch.setenv(name, value)
    settings = UsersSettings.load()
    database = Database(engine_for(database_for("users"), pool_size=10), Sealer(KEK))
    async with database.transaction() as tx:
        signer = await open_signer(tx, database.codec, ISSUER)
    means = Means(settings, database, Passwords(20, QUICK), signer)
    app = create_app(SERVICE, settings)
    nothing: Any = None
    tokens = Tokens(ISSUER, database, signer.key_source)
    app.state.chassis = Chassis(settings, nothing, database, database.codec, nothing, tokens, means)
    yield Home(app, means)
    means.passwords.close()
    await database.close()
