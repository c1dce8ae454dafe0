"""What this machine can do at most, measured in the same run as the system."""

import re
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from psycopg.sql import SQL, Identifier

from stack import databases, postgres, secrets_file, tokens
from stack.home import Home
from stack.secrets_file import POSTGRES_PORT
from tests.bench import generator, probe
from tests.bench.figures import Json, spread
from tests.bench.generator import Plan, request
from tests.bench.probe import Probe
from tests.bench.settings import Settings
from tests.support.system import wait_for

CLIENTS = 32
WRITERS = 8
EVENTS_A_CALL = 500
CALLS_A_SECOND = 10
SCRATCH = "bench_scratch"
HANDLED_S = 60
# about as much as one of our own facts
FACT = {
    "version": 1,
    "sequence": 1,
    "order_id": "019a0000-0000-7000-8000-000000000000",
    "customer_id": "019a0000-0000-7000-8000-000000000001",
    "number": "ABCD-EFGH",
    "total": {"amount": 1999, "currency": "EUR"},
    "payment_method": "pm_card_visa",
    "placed_at": "2026-01-01T00:00:00.000000Z",
}


def measure(home: Home, settings: Settings) -> Json:
    """Return requests, events and commits a second."""
    token = {"dapr-api-token": tokens.for_sidecar(secrets_file.load(home), probe.PROBE)}
    invoke = f"/v1.0/invoke/{probe.PROBE}/method/hello"
    with Probe(home) as running:
        return {
            "hello_direct": _requests(running.app, request("GET", "/hello"), settings),
            "hello_through_one_sidecar": _requests(running.sidecar, request("GET", invoke, token), settings),
            "hello_through_edge_and_callee": _requests(running.edge, request("GET", invoke), settings),
            "bulk_publish_to_bulk_handled": _events(running, token, settings),
            "insert_commit": _commits(home, settings),
        }


def _requests(port: int, asked: str, settings: Settings) -> Json:
    generator.run(Plan(port=port, requests=[asked], seconds=0.5, clients=CLIENTS))
    done = generator.run(Plan(port=port, requests=[asked], seconds=settings.raw_seconds, clients=CLIENTS))
    assert not done.failures, done.failures
    return {
        "per_second": round(done.per_second, 1),
        "clients": CLIENTS,
        **spread(sample.took_s for sample in done.good),
        "generator_cores": round(done.cpu_s / done.seconds, 2),
    }


def _events(running: Probe, token: dict[str, str], settings: Settings) -> Json:
    """Publish in bulk as the relay does, handle in bulk as the services do, and wait for the last."""
    entries = [
        {"entryId": str(number), "event": FACT, "contentType": "application/json"} for number in range(EVENTS_A_CALL)
    ]
    path = f"/v1.0/publish/bulk/pubsub/{probe.PROBE}"
    asked = request("POST", path, token, orjson.dumps(entries).decode())
    calls = int(settings.raw_seconds * CALLS_A_SECOND)
    done = generator.run(Plan(port=running.sidecar, requests=[asked], limit=calls, clients=2))
    assert not done.failures, done.failures
    events = calls * EVENTS_A_CALL

    def last_at() -> float | None:
        seen = orjson.loads(probe.get(running.app, "/seen"))
        return float(seen["last_at"]) if seen["count"] >= events else None

    last = wait_for(last_at, f"{events} events to be handled", HANDLED_S)
    return {
        "per_second": round(events / (last - done.began), 1),
        "published_per_second": round(events / done.seconds, 1),
        "events": events,
    }


def _commits(home: Home, settings: Settings) -> Json:
    """Let pgbench insert a row per transaction in a database of its own on the system's server."""
    name = Identifier(SCRATCH)
    with databases.connect(home) as server:
        server.execute(SQL("DROP DATABASE IF EXISTS {}").format(name))
        server.execute(SQL("CREATE DATABASE {}").format(name))
        try:
            with databases.connect(home, SCRATCH) as inside:
                inside.execute("CREATE TABLE facts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data text)")
            return _pgbench(home, max(1, round(settings.raw_seconds)))
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _pgbench(home: Home, seconds: int) -> Json:
    with TemporaryDirectory(prefix="sidecart-bench-", dir="/tmp") as folder:
        script = Path(folder, "insert.sql")
        script.write_text("".join(("INSERT INTO facts (data) VALUES ('", orjson.dumps(FACT).decode(), "');\n")))
        command = [str(postgres.binary("pgbench")), "--no-vacuum", "--protocol=prepared", f"--file={script}"]
        command += [f"--client={WRITERS}", "--jobs=1", f"--time={seconds}", f"--port={home.port(POSTGRES_PORT)}"]
        command += [f"--host={postgres.directory(home)}", "--username=postgres", SCRATCH]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, f"pgbench: {done.stderr or done.stdout}"
    return {
        "per_second": round(float(found[1]), 1),
        "clients": WRITERS,
        "seconds": round(time.monotonic() - began, 1),
    }
