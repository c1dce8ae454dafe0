"""The load, in a process of its own: one file holds the plan, another what was answered."""

import asyncio
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

import orjson
import uvloop
from pydantic import BaseModel

from stack.home import CHECKOUT
from tests.bench.wire import Wires

MARK = "@KEY@"
NAMED = b'{"id":"'
ID_LENGTH = 36
OK = range(200, 300)


class Plan(BaseModel):
    """What to send and when: at *rate*, whatever the answers, or else each of *clients* as soon as it is answered."""

    port: int
    requests: list[str]
    """Whole HTTP requests, taken in turn; MARK becomes a key of its own in each."""
    seconds: float = 3600.0
    limit: int = 1 << 60
    rate: float | None = None
    clients: int = 1


class Sample(NamedTuple):
    """One request: when it was due (Unix seconds), how long until its answer, and the id of what that names first."""

    at: float
    took_s: float
    status: int
    id: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """All samples, and what it cost to ask."""

    samples: list[Sample]
    began: float
    seconds: float
    cpu_s: float
    connections: int
    failures: dict[str, int]
    """Answers other than 2xx: how often each, by status and the start of the text."""

    @property
    def good(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.status in OK]

    @property
    def per_second(self) -> float:
        return len(self.good) / self.seconds


class Generator:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._parts = [[part.encode() for part in request.split(MARK)] for request in plan.requests]
        self._wires = Wires(plan.port)
        self._run = uuid4().hex
        self._sent = 0
        self._samples: list[Sample] = []
        self._failures = Counter[str]()

    async def run(self) -> Outcome:
        cpu = _cpu_s()
        start = time.monotonic()
        lag = time.time() - start
        await (self._paced(start, self._plan.rate) if self._plan.rate else self._pressed(start))
        seconds = time.monotonic() - start
        self._wires.close()
        return Outcome(
            samples=[sample._replace(at=sample.at + lag) for sample in self._samples],
            began=start + lag,
            seconds=seconds,
            cpu_s=_cpu_s() - cpu,
            connections=self._wires.opened,
            failures=dict(self._failures),
        )

    async def _paced(self, start: float, rate: float) -> None:
        async with asyncio.TaskGroup() as asked:
            for number in range(min(self._plan.limit, int(self._plan.seconds * rate))):
                due = start + number / rate
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                asked.create_task(self._one(due))

    async def _pressed(self, start: float) -> None:
        end = start + self._plan.seconds

        async def client() -> None:
            while time.monotonic() < end and self._sent < self._plan.limit:
                await self._one(time.monotonic())

        async with asyncio.TaskGroup() as clients:
            for _ in range(self._plan.clients):
                clients.create_task(client())

    async def _one(self, due: float) -> None:
        parts = self._parts[self._sent % len(self._parts)]
        self._sent += 1
        request = f"{self._run}-{self._sent}".encode().join(parts)
        status, body = await self._wires.ask(request)
        took = time.monotonic() - due
        id_ = body[len(NAMED) : len(NAMED) + ID_LENGTH] if body.startswith(NAMED) else b""
        self._samples.append(Sample(due, took, status, id_.decode()))
        if status not in OK:
            self._failures[f"{status} {body[:120].decode(errors='replace')}"] += 1


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run(plan: Plan) -> Outcome:
    """Run the plan in a process of its own and wait for it."""
    with TemporaryDirectory(prefix="sidecart-bench-", dir="/tmp") as folder:
        asked, answered = Path(folder, "plan.json"), Path(folder, "outcome.json")
        asked.write_text(plan.model_dump_json())
        command = [sys.executable, "-m", "tests.bench.generator", str(asked), str(answered)]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        fields = orjson.loads(answered.read_bytes())
    samples = [Sample(*values) for values in fields.pop("samples")]
    return Outcome(samples=samples, **fields)


def request(method: str, path: str, headers: dict[str, str] | None = None, body: str = "") -> str:
    """Spell a request out."""
    sent = {"host": "127.0.0.1", **(headers or {})}
    if body:
        sent |= {"content-type": "application/json", "content-length": str(len(body.encode()))}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}"


if __name__ == "__main__":
    plan = Plan.model_validate_json(Path(sys.argv[1]).read_bytes())
    Path(sys.argv[2]).write_bytes(orjson.dumps(uvloop.run(Generator(plan).run()), default=list))
