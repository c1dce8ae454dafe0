"""What plays DynamoDB here keeps every write that it has answered, whatever becomes of its process."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stack.home import Home
from stack.ports import is_free
from stack.servers import dynamodb
from stack.watched import to_stderr
from tests.support import children

ITEMS, CALLERS = 300, 20
STARTS_S = 60
SIGNED = {"Authorization": dynamodb.SIGNED.format(dynamodb.REGION), "Content-Type": "application/x-amz-json-1.0"}


class Tables:
    """The server alone, which may be killed and started again."""

    def __init__(self, home: Home) -> None:
        (self._program,) = dynamodb.programs(home, {}, to_stderr)
        self.journal = home.data / "dynamodb" / "journal"
        self.port = self._program.ports["http"]
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        it = self._program
        self._running = children.start(it.argv, env=it.env, cwd=it.cwd)
        limit = time.monotonic() + STARTS_S
        while is_free(self.port):
            assert self._running.poll() is None, "it ended as it started"
            assert time.monotonic() < limit
            time.sleep(0.05)

    def kill(self) -> None:
        if self._running:
            self._running.send_signal(signal.SIGKILL)
            self._running.wait()
            self._running = None


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    home = Home(tmp_path, next(offset for offset in range(21000, 22000, 7) if is_free(8010 + offset)))
    home.data.mkdir()
    found = Tables(home)
    yield found
    found.kill()


async def ask(session: aiohttp.ClientSession, port: int, action: str, **body: Any) -> dict[str, Any]:
    headers = SIGNED | {"X-Amz-Target": f"DynamoDB_20120810.{action}"}
    body = {"TableName": dynamodb.TABLE, **body}
    async with session.post(f"http://127.0.0.1:{port}/", json=body, headers=headers) as answer:
        text: dict[str, Any] = await answer.json(content_type=None)
        return text | {"status": answer.status}


def item(number: int) -> dict[str, Any]:
    return {"key": {"S": f"orders||{number}"}, "value": {"B": "eyJub3RlIjogInRlYSJ9"}, "etag": {"S": str(number)}}


async def test_what_was_answered_is_there_after_a_kill_and_what_was_cut_off_is_not(tables: Tables) -> None:
    tables.start()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CALLERS)) as session:
        puts = [ask(session, tables.port, "PutItem", Item=item(number)) for number in range(ITEMS)]
        assert {reply["status"] for reply in await asyncio.gather(*puts)} == {200}
        once = await ask(
            session, tables.port, "PutItem", Item=item(0), ConditionExpression="attribute_not_exists(etag)"
        )
        assert (once["status"], once["__type"].rpartition("#")[2]) == (400, "ConditionalCheckFailedException")
        await ask(session, tables.port, "DeleteItem", Key={"key": item(1)["key"]})
    tables.kill()
    with tables.journal.open("a") as journal:
        journal.write(tables.journal.read_text().splitlines()[-1].replace("||1", "||2")[:-9])
    tables.start()
    async with aiohttp.ClientSession() as session:
        await ask(session, tables.port, "PutItem", Item=item(ITEMS))
    tables.kill()
    tables.start()
    async with aiohttp.ClientSession() as session:
        gets = [ask(session, tables.port, "GetItem", Key={"key": item(number)["key"]}) for number in range(ITEMS + 1)]
        found = [reply.get("Item") for reply in await asyncio.gather(*gets)]
    assert found == [None if number == 1 else item(number) for number in range(ITEMS + 1)]
