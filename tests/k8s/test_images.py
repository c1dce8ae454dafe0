"""What the Dockerfile installs, installed here: each service runs from its own prefix with nothing else on its path."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stack.cache import cache_root
from tests.support.documents import CHECKOUT, SERVICES

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()


def installed(service: str, folder: Path) -> tuple[Path, Path]:
    """Do for *service* what its stages do; return its Python and its folder of code."""
    [arguments] = re.findall(rf"FROM build AS build-{service}\nRUN --mount=\S+ uv (.*)", DOCKERFILE)
    uv = shutil.which("uv") or str(cache_root() / "uv/bin/uv")
    source, prefix, code = folder / "src", folder / "prefix", folder / "app"
    source.mkdir(parents=True)
    for name in re.findall(r"^COPY (pyproject\.toml .*) \./$", DOCKERFILE, re.MULTILINE)[0].split():
        shutil.copy(CHECKOUT / name, source)
    done = subprocess.run(
        [uv, *arguments.split(), "--python", sys.executable],
        cwd=source,
        env={
            **os.environ,
            "UV_PROJECT_ENVIRONMENT": str(prefix),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_COMPILE_BYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    for stage in ("service", service):
        [body] = re.findall(rf"^FROM \S+ AS {stage}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
        for taken, put in re.findall(r"^COPY (apps/\S+) (\S+)$", body, re.MULTILINE):
            bring(CHECKOUT / taken, code / put)
    return prefix / "bin/python", code


def bring(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("images")
    return {service: installed(service, folder / service) for service in SERVICES}


# Every module is imported, those that code imports late as well; then the app answers, as far as it can on its own.
START = """
import asyncio, importlib, pkgutil, sys
import apps
import opentelemetry.exporter.otlp.proto.http.trace_exporter
from apps.chassis import serve, telemetry
from apps.chassis.app import create_app

for module in pkgutil.walk_packages(apps.__path__, "apps."):
    if not module.name.endswith(".env") and ".versions" not in module.name:
        importlib.import_module(module.name)
service = serve.find(sys.argv[1])
telemetry.start(service.name, "INFO")
app = create_app(service, service.settings.load())
sent = []

async def receive():
    return {"type": "http.request", "body": b"", "more_body": False}

async def send(message):
    sent.append(message)

scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
         "path": "/healthz", "raw_path": b"/healthz", "query_string": b"", "root_path": "", "headers": [],
         "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
asyncio.run(app(scope, receive, send))
print(sent[0]["status"], sent[1]["body"].decode())
"""


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_from_its_image_alone(images: dict[str, tuple[Path, Path]], service: str) -> None:
    python, code = images[service]
    env = {"APP_PORT": "8000", "APP_API_TOKEN": "a-token-for-tests-only", "PYTHONPATH": str(code)}
    done = subprocess.run(
        [python, "-P", "-c", START, service],
        cwd="/",
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1:] == ['200 {"status":"alive"}'], done.stdout + done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_its_own_service_and_no_tools(images: dict[str, tuple[Path, Path]], service: str) -> None:
    python, code = images[service]
    assert {path.name for path in (code / "apps").iterdir() if path.is_dir()} - {"__pycache__"} == {
        "chassis", "contracts", service,
    }  # fmt: skip
    done = subprocess.run([python, "-c", "import pytest"], capture_output=True, text=True, check=False, timeout=30)
    assert "No module named 'pytest'" in done.stderr
    assert not list(python.parent.glob("pip*"))


def test_every_base_is_named_by_version() -> None:
    given = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE))
    named = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) + re.findall(r"--from=(\S+/\S+)", DOCKERFILE)
    stages = set(re.findall(r" AS (\S+)$", DOCKERFILE, re.MULTILINE))
    bases = {re.sub(r"\$\{(\w+)\}", lambda found: given[found[1]], name) for name in named} - stages
    assert bases
    assert not [base for base in bases if ":" not in base or base.endswith(":latest")]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_as_nobody_in_particular_and_is_asked_how_it_is(service: str) -> None:
    [body] = re.findall(r"^FROM \S+ AS service\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL)
    assert "\nUSER 10001:10001\n" in body
    assert "\nHEALTHCHECK " in body
    assert f'CMD ["python", "-m", "apps.chassis.serve", "{service}"]' in DOCKERFILE


@pytest.fixture(scope="module")
def engine() -> str:
    """The command of a container engine that answers."""
    for command in ("docker", "podman"):
        if shutil.which(command):
            asked = subprocess.run([command, "info"], capture_output=True, text=True, check=False, timeout=60)
            if asked.returncode == 0:
                return command
    pytest.skip("not run: no container engine answers on this machine; start Docker or Podman")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.timeout(1800)
def test_an_image_is_built_and_starts_on_a_file_system_that_it_cannot_write(engine: str, service: str) -> None:
    name = f"sidecart-test/{service}"
    built = subprocess.run(
        [engine, "build", "--target", service, "--tag", name, "."],
        cwd=CHECKOUT, env={**os.environ, "DOCKER_BUILDKIT": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-4000:]
    env = ["--env", "APP_PORT=8000", "--env", "APP_API_TOKEN=a-token-for-tests-only"]
    done = subprocess.run(
        [engine, "run", "--rm", "--read-only", "--network=none", *env, name, "python", "-P", "-c", START, service],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ['200 {"status":"alive"}'], done.stdout + done.stderr
