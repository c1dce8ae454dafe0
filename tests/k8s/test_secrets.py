"""Secrets as a cluster keeps them: a real sidecar reads them through our component, as the account that its pod has."""

import subprocess
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from stack import runtime, secrets_file
from stack.home import CHECKOUT, Home
from tests.k8s.cluster import Cluster, free_port, running
from tests.support import stand_ins
from tests.support.documents import SERVICES
from tests.support.system import wait_for

NAMESPACE = "shop-of-secrets"
READY_S = 60
HTTP_NO_CONTENT = 204


@pytest.fixture(scope="module")
def kept(bare_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Our secrets in the cluster, one for each name, with the accounts and roles of the manifests."""
    home = Home(root=tmp_path_factory.mktemp("home"), offset=0)
    home.make_directories()
    secrets = secrets_file.ensure(home)
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {name: value}}
        for name, value in secrets.items()
    ]
    accounts = [(CHECKOUT / f"k8s/base/{service}/account.yaml").read_text() for service in SERVICES]
    assert bare_cluster.run("create", "namespace", NAMESPACE).returncode == 0
    for text in (yaml.safe_dump_all(documents), *accounts):
        done = bare_cluster.apply(text, "-n", NAMESPACE)
        assert done.returncode == 0, done.stderr
    return secrets


def allowed(service: str) -> set[str]:
    """Return the names that a service's role lists."""
    documents = yaml.safe_load_all((CHECKOUT / f"k8s/base/{service}/account.yaml").read_text())
    [role] = [document for document in documents if document["kind"] == "Role"]
    return set(role["rules"][0]["resourceNames"])


def kubeconfig(cluster: Cluster, account: str, path: Path) -> Path:
    """Write what a client of that account is told; the token is one that the API server made for it."""
    done = cluster.run("create", "token", account, "-n", NAMESPACE)
    assert done.returncode == 0, done.stderr
    where = {"server": cluster.url, "insecure-skip-tls-verify": True}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": where}],
        "users": [{"name": account, "user": {"token": done.stdout.strip()}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": account}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(document))
    return path


@contextmanager
def sidecar(cluster: Cluster, service: str, folder: Path, *components: str, **env: str) -> Generator[int]:
    """Run a sidecar as that service's pod would have it; yield its port."""
    resources, port = folder / "resources", free_port()
    resources.mkdir()
    for component in ("k8s/base/dapr/secrets.yaml", *components):
        (resources / Path(component).name).write_bytes((CHECKOUT / component).read_bytes())
    ports = {"dapr-http-port": port, "dapr-grpc-port": free_port(), "dapr-internal-grpc-port": free_port()}
    options = {**ports, "metrics-port": free_port(), "resources-path": resources, "app-id": service}
    flags: list[str | Path] = [f"--{name}={value}" for name, value in options.items()]
    told = {"KUBECONFIG": str(kubeconfig(cluster, service, folder / "kubeconfig")), "NAMESPACE": NAMESPACE, **env}
    command = [runtime.resolve().daprd, *flags, "--dapr-listen-addresses=127.0.0.1"]
    with running(folder, "daprd", command, told | {"DAPR_HOST_IP": "127.0.0.1"}) as process:
        wait_for(lambda: ready(port, process), f"the sidecar; see {folder / 'daprd.log'}", READY_S)
        yield port


def ready(port: int, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None
    return ask(port, "/v1.0/healthz")[0] == HTTP_NO_CONTENT


def ask(port: int, path: str, body: object = None) -> tuple[int, Any]:
    """Return status and answer, 0 for none."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", None if body is None else orjson.dumps(body))
    try:
        with opener.open(request, timeout=10) as answer:
            text = answer.read()
            return answer.status, orjson.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, None


@pytest.mark.parametrize("service", SERVICES)
def test_a_sidecar_reads_what_its_role_lists_and_nothing_else(
    service: str, kept: dict[str, str], bare_cluster: Cluster, tmp_path: Path
) -> None:
    ours, strange = allowed(service) & kept.keys(), kept.keys() - allowed(service)
    assert ours
    with sidecar(bare_cluster, service, tmp_path) as port:
        for name in ours:
            assert ask(port, f"/v1.0/secrets/secrets/{name}") == (200, {name: kept[name]})
        for name in strange:
            status, said = ask(port, f"/v1.0/secrets/secrets/{name}")
            assert status >= 400
            assert "is forbidden" in said


@pytest.fixture
def texts(kept: dict[str, str], tmp_path: Path) -> Iterator[stand_ins.StandIn]:
    with stand_ins.running("sms", tmp_path / "sms", SMS_TOKEN=kept["sms-token"]) as provider:
        yield provider


def test_a_component_takes_its_credentials_from_there(
    texts: stand_ins.StandIn, bare_cluster: Cluster, tmp_path: Path
) -> None:
    way = {"SIDECART_SMS_URL": f"{texts.url}/"}
    call = {"operation": "create", "data": "Your code", "metadata": {"X-To-Number": "+4930123456"}}
    with sidecar(bare_cluster, "notifications", tmp_path, "components/embedded/sms.yaml", **way) as port:
        status, said = ask(port, "/v1.0/bindings/sms", call)
    assert status in {200, 201, HTTP_NO_CONTENT}, said
    assert [item["text"] for item in texts.messages()] == ["Your code"]
