"""What alerts and dashboards ask for is told by the processes that run: a name that nobody tells would stay silent."""

import asyncio
import re
import urllib.error
import urllib.request

import yaml

from tests.support.documents import CHECKOUT
from tests.support.shop import Customer, Shop, until
from tests.support.system import System

MONITORING = CHECKOUT / "k8s/components/monitoring"
APPS, SIDECARS = range(8001, 8005), range(9500, 9505)
# A label that is named like a figure, and what only Sentry tells, which keeps its port to itself here.
ELSEWHERE = {"process_status", "dapr_sentry_issuercert_expiry_timestamp"}
NAME = re.compile(r"\b((?:sidecart|dapr|process|python)_[a-z_]+)\b")


def asked() -> set[str]:
    """Every figure that an alert, or a panel of a dashboard, is made of."""
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]["groups"]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]]
    panels = "\n".join((MONITORING / name).read_text() for name in ("shop.json", "sidecars.json"))
    expressions += re.findall(r'"expr":\s*"((?:[^"\\]|\\.)*)"', panels)
    return {name for expression in expressions for name in NAME.findall(expression)} - ELSEWHERE


def scraped(system: System) -> set[str]:
    """The names of all figures that every app and every sidecar tells now."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    found: set[str] = set()
    for fixed, path in [(port, "/internal/metrics") for port in APPS] + [(port, "/metrics") for port in SIDECARS]:
        try:
            with opener.open(f"http://127.0.0.1:{system.port(fixed)}{path}", timeout=60) as answer:
                found |= set(re.findall(r"^([a-z_]+)(?:\{| )", answer.read().decode(), re.MULTILINE))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{fixed}{path}: {error.code} {error.read().decode()}") from error
    return found


async def test_every_figure_that_is_asked_for_is_told(shop: Shop, customer: Customer, sku: str) -> None:
    order = (await shop.order(customer, sku)).body
    await shop.wait_order(customer, order["id"], status="paid")
    wanted = asked()
    assert {"sidecart_orders_last_hour", "dapr_resiliency_cb_state", "process_resident_memory_bytes"} <= wanted

    async def told() -> bool | None:
        missing = wanted - await asyncio.to_thread(scraped, shop.system)
        assert not missing, missing
        return True

    # sidecars gather for some seconds, and tell of a breaker from its first call on
    await until(told, "every figure to be told", 60, every_s=1)
