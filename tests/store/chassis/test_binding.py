import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from dapr.aio.clients import DaprClient

from apps.chassis.sidecar import Sidecar, SidecarError

REPORT = "error invoking output binding email: gomail: could not send email 1: 550 5.1.1 no such user"
METADATA = {"emailTo": "ann@example.org", "emailCC": ""}
ODD = 'a "quoted" <b>\\n</b> & \u2028 \U0001f600\n'


@asynccontextmanager
async def answering(*answers: web.Response) -> AsyncGenerator[tuple[Sidecar, list[Any]]]:
    """Stand in for the sidecar's HTTP side; what it was asked is noted."""
    asked: list[Any] = []
    left = list(answers)

    async def bindings(request: web.Request) -> web.Response:
        asked.append((request.path, request.content_type, orjson.loads(await request.read())))
        return left.pop(0)

    app = web.Application()
    app.router.add_post("/v1.0/bindings/{name}", bindings)
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as http:
        yield Sidecar("notifications", str(server.make_url("")), cast(DaprClient, None), http), asked


async def test_the_component_is_given_text_and_metadata_as_they_are() -> None:
    async with answering(web.Response(status=204), web.Response(body=b'{"id":1}')) as (sidecar, asked):
        assert await sidecar.bind("email", "create", ODD, METADATA) == b""
        assert await sidecar.bind("sms", "create", "hello", {}) == b'{"id":1}'
    assert asked[0] == (
        "/v1.0/bindings/email",
        "application/json",
        {"operation": "create", "data": ODD, "metadata": METADATA},
    )


@pytest.mark.parametrize(
    ("body", "report"),
    [
        (orjson.dumps({"errorCode": "ERR_INVOKE_OUTPUT_BINDING", "message": REPORT}), REPORT),
        (b"not JSON", "not JSON"),
        (b"[]", "[]"),
    ],
)
async def test_a_failure_says_what_the_component_reports(body: bytes, report: str) -> None:
    async with answering(web.Response(status=500, body=body)) as (sidecar, _):
        with pytest.raises(SidecarError) as failed:
            await sidecar.bind("email", "create", "", METADATA)
    assert str(failed.value) == f"binding email: {report}"


async def test_a_sidecar_that_is_away_is_the_same_kind_of_failure() -> None:
    async with aiohttp.ClientSession("http://127.0.0.1:1/") as http, asyncio.timeout(30):
        away = Sidecar("notifications", "", cast(DaprClient, None), http)
        with pytest.raises(SidecarError, match="could not be reached"):
            await away.bind("email", "create", "", METADATA)
