"""Very many undelivered messages in a real store, whichever it is: put away and listed at a cost that does not grow."""

import asyncio
import json
import os
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from uuid import UUID

import psycopg
import pytest
import yaml

from tests.support.shop import Shop, until
from tests.support.system import System

MANY = int(os.environ.get("SIDECART_UNDELIVERED", "100000"))
BATCHES_APART_S = 5
"""Batches of one tick follow each other faster than that, and ticks are further apart."""
LOOKED_AT = 50
_FILL = """
INSERT INTO messages (id, dedup_key, email, category, priority, template, data, state, failed_at, reason)
SELECT uuidv7(), gen_random_uuid(), 'a@example.org', 'orders', 1, 'refund', jsonb_build_object('line', n), 'failed',
    now(), 'mailbox full' FROM generate_series(1, %s) AS n RETURNING id
"""
_LEFT = "SELECT count(*) FROM messages WHERE state = 'failed' AND filed_at IS NULL"
_MOMENTS = "SELECT filed_at FROM messages WHERE id >= %s AND filed_at IS NOT NULL GROUP BY 1 ORDER BY 1"


def in_postgresql(system: System, folder: Path) -> Path:
    """The store's other product, as an operator would write it."""
    fields = {"connectionString": system.secret("order-details-connection"), "tablePrefix": "undelivered_"}
    body = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "undelivered"},
        "spec": {
            "type": "state.postgresql",
            "version": "v2",
            "metadata": [{"name": name, "value": value} for name, value in fields.items()],
        },
        "scopes": ["notifications"],
    }
    file = folder / "undelivered.yaml"
    file.write_text(yaml.safe_dump(body))
    return file


async def read_all(shop: Shop, oldest: UUID) -> tuple[list[float], list[UUID]]:
    """Return how long each page took, and what the list holds from *oldest* on, newest first."""
    took, seen, more = list[float](), list[UUID](), ""
    while True:
        began = time.perf_counter()
        token = shop.operator_token("support")
        page = await shop.call("notifications", "GET", f"/undelivered?limit=100{more}", token=token)
        took.append(time.perf_counter() - began)
        assert page.status == 200, page.text
        seen += [id_ for it in page.body["items"] if (id_ := UUID(it["id"])) >= oldest]
        if page.body["next"] is None or UUID(page.body["next"]) < oldest:
            return took, seen
        more = f"&cursor={page.body['next']}"


def grown(took: list[float]) -> float:
    """What the last quarter took against the first."""
    quarter = len(took) // 4
    return median(took[-quarter:]) / median(took[:quarter])


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("store", ["redis", "postgresql"])
async def test_very_many_are_put_away_listed_and_read(shop: Shop, tmp_path: Path, store: str) -> None:
    system = shop.system
    if store == "postgresql":
        await asyncio.to_thread(system.sidecart, "apply", str(in_postgresql(system, tmp_path)))
    with psycopg.connect(system.secret("notifications-database-owner-url"), autocommit=True) as owner:
        added = sorted(UUID(str(row[0])) for row in owner.execute(_FILL, [MANY]))

        async def none_left() -> bool | None:
            return True if owner.execute(_LEFT).fetchone() == (0,) else None

        await until(none_left, "all to be put away", deadline_s=60 + MANY / 50, every_s=1)
        moments = [row[0].timestamp() for row in owner.execute(_MOMENTS, [added[0]])]
    batches = [gap for one, other in pairwise(moments) if (gap := other - one) < BATCHES_APART_S]
    pages, seen = await read_all(shop, added[0])
    print(f"\n{store}: a batch took {median(batches) * 1000:.0f} ms, at the end x {grown(batches):.2f}", end="; ")
    print(f"a page {median(pages) * 1000:.1f} ms, at the end x {grown(pages):.2f}; load {os.getloadavg()[0]:.1f}")
    assert seen == added[::-1]
    lines = set[int]()
    for id_ in added[:: MANY // LOOKED_AT]:
        shown = await shop.call("notifications", "GET", f"/undelivered/{id_}", token=shop.operator_token("support"))
        lines.add(json.loads(shown.text)["data"]["line"])
    assert len(lines) >= LOOKED_AT
    assert grown(batches) < 2
    assert grown(pages) < 2
