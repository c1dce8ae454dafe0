from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from apps.chassis.sidecar import Endpoint
from apps.payments.checkout_provider import CheckoutProvider
from apps.payments.methods import CHECKOUT
from apps.payments.provider import Provider
from apps.payments.stripe_provider import StripeProvider
from tests.support.stand_ins import StandIn, running
from tests.unit.payments.counters import Counter

KEY = "sk_test_counters"
SECRET = "whsec_counters_of_tests"


@pytest.fixture(scope="session")
def processors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StandIn]]:
    first, second = (tmp_path_factory.mktemp(name) for name in ("first", "second"))
    with (
        running("card_processor", first, CARD_PROCESSOR_KEY=KEY, CARD_PROCESSOR_WEBHOOK_SECRET=SECRET) as one,
        running("card_processor_2", second, CARD_PROCESSOR_2_KEY=KEY, CARD_PROCESSOR_2_WEBHOOK_SECRET=SECRET) as two,
    ):
        yield {"stripe": one, CHECKOUT: two}


@pytest.fixture(scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture(params=["stripe", CHECKOUT])
def counter(
    request: pytest.FixtureRequest, processors: dict[str, StandIn], session: aiohttp.ClientSession
) -> Iterator[Counter]:
    """One processor after the other: a test that takes it is run with each."""
    name: str = request.param
    yield Counter(name, speaking(name, processors[name], session), processors[name], session)
    processors[name].call("DELETE", "/faults")


def speaking(name: str, stand_in: StandIn, session: aiohttp.ClientSession, key: str = KEY) -> Provider:
    """Return what speaks with a stand-in."""
    kind = StripeProvider if name == "stripe" else CheckoutProvider
    return kind(Endpoint(stand_in.url, session), key, [SECRET], "http://shop.test/")
