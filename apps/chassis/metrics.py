"""What Prometheus is told: how much waits, how long it has waited, and how the process is."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client import Gauge as Series
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from apps.chassis.auth import internal
from apps.chassis.database import Database
from apps.chassis.telemetry import log

# The figures are the database's, the same from every replica; several scrapers cost no more than one.
_FRESH_S: Final = 5.0
_CONTENT: Final = "text/plain; version=0.0.4; charset=utf-8"

PUBLISHED: Final = Counter("sidecart_published", "Facts that the broker accepted.", ["topic"])


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure that the database knows: *query* gives a row for each set of *labels*, its value last."""

    name: str
    help: str
    query: str
    labels: tuple[str, ...] = ()


# Counted no further than anybody needs to know: a scrape must not cost more the worse things are.
OWN: Final = (
    Gauge(
        "sidecart_outbox_unpublished",
        "Facts that the broker has not accepted yet, up to 100000.",
        "SELECT count(*) FROM (SELECT FROM outbox WHERE published_at IS NULL LIMIT 100000) AS waiting",
    ),
    Gauge(
        "sidecart_outbox_oldest_seconds",
        "How long the oldest of them has waited.",
        "SELECT coalesce(extract(epoch FROM now() - (SELECT recorded_at FROM outbox WHERE published_at IS NULL"
        " ORDER BY id LIMIT 1)), 0)",
    ),
    Gauge(
        "sidecart_dead_letters",
        "Events that could not be handled and wait for somebody, up to 100000.",
        "SELECT count(*) FROM (SELECT FROM dead_letters LIMIT 100000) AS waiting",
    ),
)


class Figures:
    """The figures of one service, asked of its database when they are older than a moment."""

    def __init__(self, gauges: Sequence[Gauge]) -> None:
        self._gauges = (*OWN, *gauges)
        self._asking = asyncio.Lock()
        self._asked = float("-inf")
        self._told = b""

    async def text(self, database: Database) -> bytes:
        """Return them in Prometheus' text format; with the database away, that alone."""
        async with self._asking:
            if time.monotonic() - self._asked > _FRESH_S:
                self._told = await self._ask(database)
                self._asked = time.monotonic()
        return self._told

    async def _ask(self, database: Database) -> bytes:
        registry = CollectorRegistry()
        up = Series("sidecart_database_up", "Whether the database answered.", registry=registry)
        try:
            async with database.transaction() as tx:
                for gauge in self._gauges:
                    _put(registry, gauge, (await tx.execute(text(gauge.query))).all())
        except (SQLAlchemyError, OSError) as error:
            log.warning("figures_unavailable", error=type(error).__name__)
        else:
            up.set(1)
        return generate_latest(registry)


def _put(registry: CollectorRegistry, gauge: Gauge, rows: Sequence[Any]) -> None:
    series = Series(gauge.name, gauge.help, gauge.labels, registry=registry)
    for row in rows:
        *labels, value = row
        (series.labels(*labels) if labels else series).set(float(value))


def router(gauges: Sequence[Gauge]) -> APIRouter:
    """Return the route: for who reaches the port itself, without a token; through a sidecar it is nobody's."""
    routes = APIRouter(prefix="/internal", dependencies=[internal()], include_in_schema=False)
    figures = Figures(gauges)

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Tell the figures, and what the process counted since its start."""
        own = await figures.text(request.app.state.chassis.database)
        return Response(own + generate_latest(REGISTRY), media_type=_CONTENT)

    return routes
