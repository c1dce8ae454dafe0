from collections.abc import AsyncIterator, Callable

import pytest

from apps.chassis import inbox
from tests.store.orders.shop import Shop, open_shop, settings_from_environment
from tests.support.asgi import APP_TOKEN


@pytest.fixture
def pool() -> int:
    """One connection: who calls out while holding it is seen, and who wants two waits in vain."""
    return 1


@pytest.fixture
async def shop(database_for: Callable[[str], str], pool: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr(inbox, "RETRY_DELAYS_S", (0.001,))
    monkeypatch.setenv("APP_PORT", "1")
    monkeypatch.setenv("APP_API_TOKEN", APP_TOKEN)
    shop = open_shop(database_for("orders"), settings_from_environment(), pool)
    await shop.stock(tea=10, pot=10, leaflet=None)
    yield shop
    await shop.database.close()
