"""A server by Docker, before an engine that does nothing but remember."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack import secrets_file
from stack.home import CHECKOUT, Home
from stack.program import Program
from stack.servers import container, resolver
from tests.support.docker_engine import Engine, Json
from tests.support.system import wait_for

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp") as folder:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
        # the reaper is a container that is talked to: nobody is there
        monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
        monkeypatch.delenv(container.VARIABLE, raising=False)
        container.engine_answers.cache_clear()
        with Engine(Path(folder) / "docker.sock") as found:
            yield found
        container.engine_answers.cache_clear()


def described(home: Home, name: str) -> Program:
    secrets_file.ensure(home)
    [found] = resolver.programs(home, resolver.SERVERS[name], secrets_file.load(home), lambda _: None)
    return found


def asked(engine: Engine) -> Json:
    def running() -> Json | None:
        return next((it["asked"] for it in engine.containers.values() if it["status"] == "running"), None)

    return wait_for(running, "the container to run", deadline_s=60)


@pytest.mark.parametrize("name", [name for name, server in resolver.SERVERS.items() if server.image])
def test_each_server_comes_from_its_products_image_where_an_engine_answers(
    engine: Engine, home: Home, name: str
) -> None:
    assert resolver.unavailable(home, resolver.SERVERS[name]) is None
    kept = container.Kept.model_validate_json(described(home, name).env["SIDECART_CONTAINER"])
    image = resolver.SERVERS[name].image
    assert image
    assert kept.image == image.name
    assert kept.port == home.port(next(iter(resolver.SERVERS[name].ports.values())))
    assert "GET /_ping" in engine.calls


def test_the_containers_life_is_the_keepers_and_its_volume_stays(engine: Engine, home: Home) -> None:
    program = described(home, "rabbitmq")
    former = {
        "Labels": {"org.sidecart.server": container.Kept.model_validate_json(program.env["SIDECART_CONTAINER"]).label}
    }
    engine.containers["f" * 64] = {"asked": former, "status": "running"}
    with subprocess.Popen(program.argv, env=program.env, cwd=CHECKOUT) as keeper:
        try:
            wait_for(lambda: "f" * 64 not in engine.containers or None, "the former one to go", deadline_s=60)
            said = asked(engine)
        finally:
            keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(60) == 0
    secrets = secrets_file.load(home)
    assert said["Image"] == "rabbitmq:4"
    assert said["HostConfig"]["PortBindings"] == {
        "5672/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(program.check.port)}]
    }
    [volume] = said["HostConfig"]["Binds"]
    assert volume.endswith(":/var/lib/rabbitmq:rw")
    assert f"RABBITMQ_DEFAULT_PASS={secrets['rabbitmq-password']}" in said["Env"]
    ends = [call.rpartition("/")[2] if "POST" in call else call[:6] for call in engine.calls][-2:]
    assert ends == ["stop", "DELETE"]
    assert engine.containers == {}


def test_data_that_were_written_without_docker_go_on_without_it(engine: Engine, home: Home) -> None:
    (home.data / "kafka").mkdir()
    assert container.engine_answers()
    assert resolver._ours_before(home, resolver.SERVERS["kafka"])
    assert not resolver._ours_before(home, resolver.SERVERS["mongodb"])
    assert engine.containers == {}


def test_no_engine_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    container.engine_answers.cache_clear()
    assert not container.engine_answers()
    container.engine_answers.cache_clear()


def test_an_engine_may_be_left_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(container.VARIABLE, "no")
    assert not container.engine_answers()
    assert engine.calls == []
    assert os.environ["DOCKER_HOST"]
