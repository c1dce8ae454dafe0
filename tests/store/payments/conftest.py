from collections.abc import AsyncIterator, Callable

import pytest

from apps.chassis.database import Database, engine_for
from apps.payments import steps
from tests.store.payments.desk import Desk
from tests.store.payments.till import Till, make_vault
from tests.support.asgi import APP_TOKEN


@pytest.fixture
async def desk(database_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(steps, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setenv("APP_PORT", "1")
    monkeypatch.setenv("APP_API_TOKEN", APP_TOKEN)
    database = Database(engine_for(database_for("payments"), pool_size=10), make_vault())
    yield Desk(database, Till())
    await database.close()
