"""What the stack promises whatever it runs, tried on a topology of one small app."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from stack.home import CHECKOUT
from tests.support import sample_app
from tests.support.orphans import GUARD
from tests.support.system import System, wait_for

SAMPLE = """
version: 1
apps:
  - appID: sample
    appDirPath: {checkout}
    configFilePath: config/orders.yaml
    appPort: 8001
    daprHTTPPort: 3501
    daprGRPCPort: 4501
    daprInternalGRPCPort: 5501
    metricsPort: 9501
    enableAppHealthCheck: true
    env: {{GREETING: hello}}
    command: [python, {app}]
"""
CARDS = {"card-processor", "card-processor-2"}
NAMES = {"sample", "sample-daprd", "postgres", "valkey", "sentry", "mailbox", "sms", "push"} | CARDS


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("topology") / "dapr.yaml"
    file.write_text(SAMPLE.format(checkout=CHECKOUT, app=sample_app.__file__))
    return file


@pytest.fixture(scope="module")
def sample(topology: Path) -> Iterator[System]:
    """One system that the tests of this file share; each leaves it as complete as it found it."""
    with System(topology) as system:
        yield system


def get(url: str) -> Any:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as answer:
        return json.loads(answer.read())


def processes_of(system: System) -> list[psutil.Process]:
    """Every process that belongs to *system*, found by what the kernel knows rather than by our own records."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            open_in_home = any(str(system.root) in word for word in words) and GUARD not in words
            told = process.environ().get("SIDECART_HOME") == str(system.root) and GUARD not in words
        except psutil.Error:
            continue
        if (open_in_home or told) and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def none_left(system: System) -> bool:
    return not processes_of(system)


def test_status_names_every_process_with_what_a_machine_needs(sample: System) -> None:
    status = json.loads(sample.sidecart("status", "--json").stdout)
    assert status["profile"] == "embedded"
    assert status["warnings"] == []
    assert {process["name"] for process in status["processes"]} == NAMES
    for process in status["processes"]:
        assert set(process) == {"name", "kind", "pid", "ready", "ports", "restarts", "uptime_s"}
        assert process["ready"] is True
        assert process["uptime_s"] > 0
        assert psutil.pid_exists(process["pid"])
    assert sample.status()["sample"]["ports"] == {"http": sample.port(8001)}
    assert sample.status()["postgres"]["kind"] == "server"


def test_a_second_up_is_told_who_is_up(sample: System) -> None:
    second = sample.sidecart("up", "--file", str(sample.file), check=False)
    keeper = (sample.root / "run" / "stack.pid").read_text()
    assert second.returncode == 1
    assert second.stderr.strip() == f"sidecart: already running (pid {keeper}): `sidecart status`"


def test_a_home_in_use_under_another_offset_is_refused(sample: System) -> None:
    env = sample.env | {"SIDECART_PORT_OFFSET": "1"}
    command = [sys.executable, "-m", "stack.cli", "up", "--file", str(sample.file)]
    refused = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"in use by the system with SIDECART_PORT_OFFSET={sample.offset}" in refused.stderr


def test_apps_are_told_what_they_need_and_sidecars_reach_them(sample: System) -> None:
    env = get(f"http://127.0.0.1:{sample.port(8001)}/")
    assert env["APP_ID"] == "sample"
    assert env["GREETING"] == "hello"
    assert env["DAPR_GRPC_PORT"] == str(sample.port(4501))
    assert env["DAPR_API_TOKEN"] == sample.sidecar_token("sample")
    assert env["SIDECART_VALKEY_ADDRESS"] == f"127.0.0.1:{sample.port(16379)}"
    assert "PYTHONDONTWRITEBYTECODE" not in env


def test_a_killed_app_is_started_again_and_counted(sample: System) -> None:
    before = sample.status()["sample"]
    sample.kill("sample")
    after = sample.wait_ready("sample", not_pid=before["pid"])
    assert after["restarts"] == before["restarts"] + 1


def test_a_killed_database_comes_back_with_its_data(sample: System) -> None:
    with psycopg.connect(sample.secret("orders-database-owner-url"), autocommit=True) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        owner.execute("INSERT INTO kept VALUES ('still here')")
    pid = sample.kill("postgres")
    sample.wait_ready("postgres", not_pid=pid)
    with psycopg.connect(sample.secret("orders-database-url")) as runtime:
        assert runtime.execute("SELECT word FROM kept").fetchall() == [("still here",)]


def test_secrets_are_for_their_owner_alone(sample: System) -> None:
    assert stat.S_IMODE((sample.root / "secrets.json").stat().st_mode) == 0o600
    for path in (sample.root / "run" / "programs").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("key", ["users-database-url", "users-database-owner-url", "order-details-connection"])
def test_no_role_may_enter_another_database(sample: System, key: str) -> None:
    url = sample.secret(key)
    with psycopg.connect(url):
        pass
    for database in {"users", "orders", "payments", "notifications", "order_details", "postgres", "template1"} - {
        url.rpartition("/")[2]
    }:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url.rpartition("/")[0] + "/" + database)


def test_a_runtime_role_may_write_rows_and_make_nothing(sample: System) -> None:
    with psycopg.connect(sample.secret("users-database-owner-url"), autocommit=True) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS written (number bigint GENERATED ALWAYS AS IDENTITY, word text)")
    with psycopg.connect(sample.secret("users-database-url"), autocommit=True) as runtime:
        runtime.execute("INSERT INTO written (word) VALUES ('a')")
        for forbidden in ("CREATE TABLE mine ()", "DROP TABLE written", "TRUNCATE written", "CREATE SCHEMA mine"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                runtime.execute(forbidden)


def test_what_we_listen_on_is_loopback(sample: System) -> None:
    ours = {process.pid for process in processes_of(sample)}
    addresses = [each.laddr for each in psutil.net_connections("tcp") if each.pid in ours and each.status == "LISTEN"]
    assert len(addresses) > len(NAMES)
    assert {address for address in addresses if address and address[0] != "127.0.0.1"} == set()


def test_an_edited_configuration_reaches_its_sidecar_without_a_new_process(sample: System) -> None:
    pid = sample.pids()["sample-daprd"]
    log = sample.root / "logs" / "sample-daprd.log"
    assert "restarting" not in log.read_text()
    path = sample.root / "config" / "orders.yaml"
    path.write_text(path.read_text() + "\n# looked at\n")
    wait_for(lambda: "'hangup'; restarting" in log.read_text() or None, "the sidecar to read its configuration again")
    assert sample.wait_ready("sample-daprd")["pid"] == pid


def test_replicas_share_the_app_id_and_can_be_taken_away(sample: System) -> None:
    sample.sidecart("scale", "sample=2")
    names = set(sample.status())
    assert names == NAMES | {"sample-2", "sample-2-daprd"}
    assert get(f"http://127.0.0.1:{sample.port(8101)}/")["APP_ID"] == "sample"
    sample.sidecart("scale", "sample=1")
    assert set(sample.status()) == NAMES


def test_restart_gives_a_process_a_new_pid(sample: System) -> None:
    before = sample.pids()["sample"]
    sample.sidecart("restart", "sample")
    assert sample.status()["sample"]["ready"]
    assert sample.pids()["sample"] != before


def test_a_taken_port_is_named_with_what_holds_it(topology: Path) -> None:
    system = System(topology)
    with system.placed(), socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", system.port(8001)))
        holder.listen()
        refused = system.sidecart("up", "--detach", "--file", str(topology), check=False)
        assert refused.returncode == 1
        assert f"port {system.port(8001)} (sample) is held by pid {os.getpid()} (" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert none_left(system)


def test_an_app_that_cannot_start_is_named_and_all_is_stopped(topology: Path, tmp_path: Path) -> None:
    broken = tmp_path / "dapr.yaml"
    broken.write_text(topology.read_text().replace(sample_app.__file__, "-c, 'raise SystemExit(\"no flour left\")'"))
    system = System(broken)
    with system.placed():
        refused = system.sidecart("up", "--detach", "--file", str(broken), check=False)
        assert refused.returncode == 1
        assert "sample ended" in refused.stderr
        assert "no flour left" in refused.stderr
        assert "Traceback" not in refused.stderr + refused.stdout
        assert none_left(system)


@pytest.mark.parametrize("victim", ["supervisord.pid", "stack.pid"])
def test_nothing_outlives_a_killed_keeper_and_up_recovers(topology: Path, victim: str) -> None:
    with System(topology) as system:
        with psycopg.connect(system.secret("orders-database-owner-url"), autocommit=True) as owner:
            owner.execute("CREATE TABLE kept ()")
        assert len(processes_of(system)) > len(NAMES)
        os.kill(int((system.root / "run" / victim).read_text()), signal.SIGKILL)
        wait_for(lambda: none_left(system) or None, "every process to be gone", deadline_s=60)
        system.up()
        with psycopg.connect(system.secret("orders-database-url")) as runtime:
            assert runtime.execute("SELECT to_regclass('kept')").fetchone() == ("kept",)
        system.sidecart("down")
        assert none_left(system)
        assert system.sidecart("down").stdout.strip() == "nothing is running"
