"""Certificates live for seconds here: sidecars renew them from Sentry again and again, and nobody notices."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from stack import resources
from stack.home import Home
from tests.support.documents import SERVICES
from tests.support.policies import SIDECARS
from tests.support.shop import Shop, until
from tests.support.system import System
from tests.support.visitor import Visitor
from tests.support.wire import ask

TTL_S = 20
ROTATIONS = 4
RENEWED = "Successfully renewed workload identity"
PATIENCE_S = 120
EVERY_S = 0.05


class ShortLived(System):
    """A system whose Sentry hands out certificates for `TTL_S` seconds; they are renewed at half of that."""

    def up(self, *options: str) -> None:
        home = Home(self.root, self.offset)
        home.make_directories()
        resources.seed(home, reset=False)
        path = home.config / "sentry.yaml"
        text = path.read_text().replace("TTL: 24h", f"TTL: {TTL_S}s").replace("Skew: 15m", "Skew: 1s")
        assert f"TTL: {TTL_S}s" in text
        assert "Skew: 1s" in text
        path.write_text(text)
        super().up(*options)


@pytest.fixture(scope="module")
def brief() -> Iterator[ShortLived]:
    with ShortLived() as system:
        yield system


def renewals(system: System) -> int:
    """Return how often the sidecar that did so least has renewed its certificate."""
    return min((system.root / "logs" / f"{name}.log").read_text().count(RENEWED) for name in SIDECARS)


@pytest.mark.timeout(2 * PATIENCE_S)
async def test_requests_go_on_while_every_certificate_is_renewed_several_times(
    brief: ShortLived, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses: list[int] = []
    # on a slow machine some are renewed before this begins
    wanted = renewals(brief) + ROTATIONS
    async with Shop(brief) as shop:
        await shop.put_product("tea-for-rotation")

        async def until_renewed() -> None:
            began = time.monotonic()
            while renewals(brief) < wanted:
                assert time.monotonic() < began + PATIENCE_S, f"{renewals(brief)} of {wanted} renewals"
                for service, path in (("orders", "/products/tea-for-rotation"), ("users", "/.well-known/jwks.json")):
                    statuses.append((await shop.call(service, "GET", path)).status)
                await asyncio.sleep(EVERY_S)
            assert time.monotonic() - began > TTL_S, "the first certificates must have run out by now"

        await until_renewed()
        # a stranger's handshake shows what each service presents now
        with ExitStack() as stack:
            partner = stack.enter_context(Visitor(brief, "partner"))
            healthy = [ask(partner.port, f"/v1.0/invoke/{name}/method/healthz") for name in SERVICES]
            assert healthy == [200] * len(SERVICES)
        # and the edge must shake hands anew with a sidecar that comes back
        await asyncio.to_thread(brief.sidecart, "restart", "users-daprd")
        await until(lambda: reachable(shop), "users to be reached anew")
    with capsys.disabled():
        print(
            f"\n{ROTATIONS} rotations: {sum(status != 200 for status in statuses)} of {len(statuses)} requests failed"
        )
    assert set(statuses) == {200}


async def reachable(shop: Shop) -> bool | None:
    return True if (await shop.call("users", "GET", "/.well-known/jwks.json")).status == 200 else None
