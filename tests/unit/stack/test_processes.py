"""Launching, recording, stopping: the parts that need no supervisor."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from stack import keeper, launch, logs, plan, postgres, records, secrets_file, topology
from stack.cache import cache_root
from stack.errors import StackError
from stack.home import Home, current_home
from stack.launch import SETTLED_S, delay, note_start
from stack.program import Check, Program, launch_fields, load_all
from stack.servers import resolver
from stack.services import Services


@pytest.fixture
def services(home: Home) -> Services:
    return Services(home, topology.load(), Path("/opt/daprd"), secrets_file.ensure(home))


def test_apps_are_told_whether_their_sidecar_is_one_of_our_own(home: Home, services: Services) -> None:
    ours = cache_root() / "runtime" / "abc" / "daprd"
    for daprd, told in ((ours, "ours"), (Path("/opt/daprd"), None)):
        built = Services(home, topology.load(), daprd, secrets_file.load(home))
        [app, _] = built.replica(topology.load().services[0])
        assert app.env.get("SIDECART_RUNTIME") == told
    assert services


def test_crashes_in_a_row_are_spaced_out_and_never_given_up() -> None:
    assert [delay(deaths) for deaths in range(9)] == [0, 0, 0.5, 1, 2, 4, 8, 8, 8]


def test_a_process_that_lived_long_starts_again_at_once(tmp_path: Path) -> None:
    starts = tmp_path / "orders"
    now = 1000.0
    waits = [note_start(starts, now) for _ in range(4)]
    assert waits == [0, 0, 0.5, 1]
    assert note_start(starts, now + 1 + SETTLED_S + 0.1) == 0


def test_a_start_is_recorded_with_what_tells_processes_of_one_pid_apart(home: Home) -> None:
    note_start(home.starts / "orders", 1000.0)
    note_start(home.starts / "orders", 2000.0)
    found = records.starts(home, "orders")
    assert found is not None
    assert (found.pid, found.count, found.alive) == (os.getpid(), 2, True)
    (home.starts / "orders").write_text(f"{os.getpid()} {found.ticks + 1} 2000.0 0\n")
    other = records.starts(home, "orders")
    assert other is not None
    assert not other.alive


def test_a_program_waits_its_turn_for_a_core(home: Home) -> None:
    (home.run / "me").write_text(str(os.getpid()))
    told = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"]
    program = Program(name="any", kind="app", argv=told, ports={}, check=Check(via="tcp", port=1))
    spec = home.run / "any.json"
    spec.write_text(json.dumps(program.model_dump() | launch_fields(home, "any", "me")))
    subprocess.run([sys.executable, "-I", "-S", launch.__file__, spec], check=True)
    assert home.log("any").read_text().split() == [str(os.SCHED_BATCH)]


def test_a_record_of_a_run_that_is_over_counts_as_none(home: Home) -> None:
    record = records.begin(home, Path("dapr.yaml"))
    assert records.running(home) == record
    record.model_copy(update={"ticks": record.ticks + 1}).write(home)
    assert records.running(home) is None


def test_programs_come_back_from_their_files_as_they_were(home: Home, services: Services) -> None:
    written = services.replica(topology.load().app("orders"), 2)
    for program in written:
        program.write(home)
    assert load_all(home) == sorted(written, key=lambda each: each.name + ".json")


def test_a_replica_keeps_the_app_id_and_moves_every_port_by_a_hundred(services: Services) -> None:
    app, sidecar = services.replica(topology.load().app("orders"), 2)
    assert (app.name, sidecar.name) == ("orders-2", "orders-2-daprd")
    assert app.env["APP_ID"] == "orders"
    assert app.ports == {"http": 9102}
    assert sidecar.ports == {"http": 4602, "grpc": 5602, "internal_grpc": 6602, "metrics": 10602}
    assert app.env["DAPR_GRPC_PORT"] == "5602"
    assert "--app-port=9102" in sidecar.argv


def test_a_sidecar_is_told_what_the_topology_states(services: Services, home: Home) -> None:
    _, sidecar = services.replica(topology.load().app("orders"))
    for option in (
        "--app-id=orders",
        "--enable-mtls=true",
        "--dapr-listen-addresses=127.0.0.1",
        "--dapr-internal-grpc-listen-address=127.0.0.1",
        "--metrics-listen-address=127.0.0.1",
        "--enable-app-health-check=true",
        "--max-body-size=16Mi",
        f"--config={home.config}/orders.yaml",
        f"--resources-path={home.resources}",
    ):
        assert option in sidecar.argv
    assert not any("placement" in option or "scheduler" in option for option in sidecar.argv)


def test_a_sidecar_leaves_cores_to_others_and_has_room_for_what_waits(services: Services) -> None:
    _, sidecar = services.replica(topology.load().app("orders"))
    cores = len(os.sched_getaffinity(0))
    assert 1 <= int(sidecar.env["GOMAXPROCS"]) <= max(1, cores // 2)
    # as many as orders lets wait were seen to hold 70 MiB, beside the 30 that it holds anyway; half as much to breathe
    assert int(sidecar.env["GOMEMLIMIT"].removesuffix("MiB")) >= 1.5 * (70 + 30)


def test_the_edge_has_no_tokens_and_the_services_have_both(services: Services) -> None:
    [edge] = services.replica(topology.load().app("edge"))
    assert not {"DAPR_API_TOKEN", "APP_API_TOKEN"} & set(edge.env)
    for program in services.replica(topology.load().app("users")):
        assert {"DAPR_API_TOKEN", "APP_API_TOKEN"} <= set(program.env)


def test_children_get_nothing_of_another_systems_environment(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONDONTWRITEBYTECODE", "DAPR_HTTP_ENDPOINT", "PGHOST", "SIDECART_DAPRD", "APP_SECRET"):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("NO_PROXY", "example.org")
    app, _ = services.replica(topology.load().app("users"))
    assert "other" not in app.env.values()
    assert app.env["NO_PROXY"] == "example.org,127.0.0.1,localhost"


def test_what_serves_stops_before_what_it_needs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.postgres.server_user", lambda: None)
    secrets = secrets_file.ensure(home)
    everything = plan.programs(home, topology.load(), secrets, Path("daprd"), Path("sentry"))
    door, apps, sidecars, stand_ins, servers = keeper.waves(everything)
    assert door == ["edge-daprd"]
    assert apps == ["users", "orders", "payments", "notifications"]
    assert sidecars == [f"{name}-daprd" for name in apps]
    assert set(stand_ins) == {"mailbox", "sms", "push", "card-processor", "card-processor-2"}
    assert set(servers) == {"postgres", "valkey", "sentry"}


def test_the_plan_of_ports_is_what_the_programs_take(home: Home) -> None:
    secrets = secrets_file.ensure(home)
    (home.run / "providers").write_text("stand-ins")
    programs: list[Program] = plan.programs(home, topology.load(), secrets, Path("daprd"), Path("sentry"))
    taken = [port for program in programs for port in program.ports.values()]
    # and those of servers that a swap may start at any time
    taken += [home.port(port) for port in resolver.ports().values()]
    assert sorted(plan.ports(home, topology.load()).values()) == sorted(taken)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"level":"error","msg":"no such table"}', '{"level":"info","msg":"bye"}'], "no such table"),
        (["Traceback (most recent call last):", "  File x", "KeyError: 'a'", "done: 1"], "KeyError: 'a'"),
        (["ValueError: price: is negative", '{"level":"ERROR","event":"Application startup failed. Exiting."}'],
         "ValueError: price: is negative"),
        (["2026 FATAL:  no space left", "shutting down"], "2026 FATAL:  no space left"),
        ([], "it printed nothing"),
    ],
)  # fmt: skip
def test_a_failure_is_explained_by_the_line_that_says_it(home: Home, lines: list[str], said: str) -> None:
    home.log("orders").write_text("\n".join(lines))
    assert logs.reason(home, "orders") == said


@pytest.mark.parametrize("offset", ["-1", "a", "1.5", "60000"])
def test_a_wrong_offset_is_named(monkeypatch: pytest.MonkeyPatch, offset: str) -> None:
    monkeypatch.setenv("SIDECART_PORT_OFFSET", offset)
    with pytest.raises(StackError, match="SIDECART_PORT_OFFSET"):
        current_home()


def test_a_home_too_deep_for_sockets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECART_HOME", "/tmp/" + "a" * 100)
    with pytest.raises(StackError, match="SIDECART_HOME"):
        current_home()


def test_a_lock_left_by_a_dead_server_is_removed_though_its_pid_lives_on(tmp_path: Path) -> None:
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{tmp_path}\n")
    postgres._forget_dead_server(tmp_path)
    assert not lock.exists()


def test_the_lock_of_a_live_server_stays(tmp_path: Path) -> None:
    lock = tmp_path / "postmaster.pid"
    with subprocess.Popen([sys.executable, "-c", "input()", str(tmp_path)], stdin=subprocess.PIPE) as server:
        lock.write_text(f"{server.pid}\n{tmp_path}\n")
        postgres._forget_dead_server(tmp_path)
        assert lock.exists()
        server.kill()


def test_ticks_match_what_the_kernel_tells_others() -> None:
    ours = launch.start_ticks(os.getpid()) / os.sysconf("SC_CLK_TCK") + psutil.boot_time()
    assert abs(ours - psutil.Process().create_time()) < 2
