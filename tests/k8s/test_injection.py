"""Dapr's own injector, called by the API server for each pod that our Deployments would make."""

import base64
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from stack.errors import StackError
from tests.k8s.cluster import TOKEN, Cluster, free_port, running
from tests.k8s.go_programs import built
from tests.support.documents import APP_IDS, SERVICES
from tests.support.programs import until

Documents = list[dict[str, Any]]
# What docs/kubernetes.md has the control plane installed with.
SETTINGS = {
    "SIDECAR_IMAGE": "ghcr.io/dapr/daprd:1.18.2",
    "SIDECAR_IMAGE_PULL_POLICY": "IfNotPresent",
    "NAMESPACE": "dapr-system",
    "KUBE_CLUSTER_DOMAIN": "cluster.local",
    "SIDECAR_RUN_AS_NON_ROOT": "true",
    "SIDECAR_READ_ONLY_ROOT_FILESYSTEM": "true",
    "SIDECAR_DROP_ALL_CAPABILITIES": "true",
    "DAPR_SENTRY_ADDRESS": "dapr-sentry.dapr-system.svc.cluster.local:443",
}


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that is its own authority."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "injector")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "tls.crt", folder / "tls.key"


@pytest.fixture(scope="module")
def injecting(
    cluster: Cluster, rendered: dict[str, Documents], tmp_path_factory: pytest.TempPathFactory
) -> Generator[Cluster]:
    """Return the cluster with Dapr's webhook registered."""
    try:
        injector = built("injector", "injector") / "injector"
    except (LookupError, StackError) as error:
        pytest.skip(f"not run: {error}")
    folder = tmp_path_factory.mktemp("injector")
    crt, key = certificate(folder)
    port = free_port()
    kinds = {"Namespace", "ServiceAccount", "Configuration"}
    wanted = [each for each in rendered["production"] if each["kind"] in kinds]
    done = cluster.apply(yaml.safe_dump_all(wanted))
    assert done.returncode == 0, done.stderr
    with running(folder, "injector", [injector, str(port), crt, key, cluster.url, TOKEN], SETTINGS) as process:
        done = cluster.apply(yaml.safe_dump(webhook(port, crt)))
        assert done.returncode == 0, done.stderr

        def listens() -> bool:
            log = (folder / "injector.log").read_text()
            assert process.poll() is None, log
            return "is listening on" in log

        until(listens, "the injector listens")
        yield cluster
        cluster.run("delete", "mutatingwebhookconfiguration", "dapr-sidecar-injector")


def webhook(port: int, crt: Path) -> dict[str, Any]:
    """Return what Dapr's chart registers, at an address instead of a service."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "dapr-sidecar-injector"},
        "webhooks": [
            {
                "name": "sidecar-injector.dapr.io",
                "reinvocationPolicy": "IfNeeded",
                "clientConfig": {
                    "url": f"https://127.0.0.1:{port}/mutate",
                    "caBundle": base64.b64encode(crt.read_bytes()).decode(),
                },
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }


@pytest.fixture(scope="module")
def pods(injecting: Cluster, rendered: dict[str, Documents]) -> dict[str, dict[str, Any]]:
    """Make one pod of each Deployment, as its controller would, and return what the server made of it.

    The namespace enforces the restricted profile: a pod that needs more rights than that would be refused here.
    """
    found: dict[str, dict[str, Any]] = {}
    for deployment in rendered["production"]:
        name = deployment["metadata"]["name"]
        if deployment["kind"] != "Deployment" or name not in APP_IDS:
            continue
        pod = {"apiVersion": "v1", "kind": "Pod", **deployment["spec"]["template"]}
        pod["metadata"] = {**pod["metadata"], "name": f"{name}-tried", "namespace": "sidecart"}
        done = injecting.run("create", "-f", "-", given=yaml.safe_dump(pod))
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr, done.stderr
        found[name] = injecting.get("pod", "-n", "sidecart", f"{name}-tried")
    return found


def sidecar(pod: dict[str, Any]) -> dict[str, Any]:
    spec = pod["spec"]
    [found] = [each for each in [*spec["containers"], *spec.get("initContainers", [])] if each["name"] == "daprd"]
    return dict(found)


def option(container: dict[str, Any], name: str) -> str:
    arguments: list[str] = container["args"]
    return arguments[arguments.index(name) + 1]


@pytest.mark.parametrize("app_id", APP_IDS)
def test_each_pod_gets_a_sidecar_of_its_own_name_and_configuration(
    pods: dict[str, dict[str, Any]], app_id: str
) -> None:
    daprd = sidecar(pods[app_id])
    assert (option(daprd, "--app-id"), option(daprd, "--config")) == (app_id, app_id)
    assert daprd["image"] == "registry.example.com/sidecart/daprd:0.1.0"
    assert "--enable-mtls" in daprd["args"]
    assert option(daprd, "--sentry-address") == SETTINGS["DAPR_SENTRY_ADDRESS"]
    assert option(daprd, "--mode") == "kubernetes"
    assert "--disable-builtin-k8s-secret-store" in daprd["args"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_and_its_sidecar_know_each_other_by_tokens(pods: dict[str, dict[str, Any]], service: str) -> None:
    names = {"APP_API_TOKEN": f"{service}-app-token", "DAPR_API_TOKEN": f"{service}-sidecar-token"}
    [app] = [each for each in pods[service]["spec"]["containers"] if each["name"] == "app"]
    for container in (app, sidecar(pods[service])):
        env = {entry["name"]: entry.get("valueFrom", {}).get("secretKeyRef") for entry in container["env"]}
        for variable, secret in names.items():
            assert env[variable] == {"name": secret, "key": "token"}, container["name"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_sidecar_is_there_before_its_app_and_after_it(pods: dict[str, dict[str, Any]], service: str) -> None:
    first = pods[service]["spec"]["initContainers"][0]
    assert (first["name"], first["restartPolicy"]) == ("daprd", "Always")
    assert option(sidecar(pods[service]), "--dapr-graceful-shutdown-seconds") == "20"


@pytest.mark.parametrize("service", SERVICES)
def test_a_sidecar_watches_its_app_as_on_one_machine(pods: dict[str, dict[str, Any]], service: str) -> None:
    daprd = sidecar(pods[service])
    assert "--enable-app-health-check" in daprd["args"]
    assert option(daprd, "--app-health-check-path") == "/healthz"
    assert option(daprd, "--app-health-threshold") == "20"
    given = {entry["name"]: entry.get("value") for entry in daprd["env"]}
    assert given["SIDECART_RABBITMQ_ADDRESS"] == "rabbitmq:5672"
    assert given["SIDECART_PUSH_URL"] == "https://push.example.com/"


def test_the_door_is_open_to_the_pod_network(pods: dict[str, dict[str, Any]]) -> None:
    daprd = sidecar(pods["edge"])
    assert option(daprd, "--dapr-listen-addresses") == "0.0.0.0"  # noqa: S104 - a pod's, behind a network policy
    assert not {entry["name"] for entry in daprd["env"]} & {"APP_API_TOKEN", "DAPR_API_TOKEN"}


@pytest.mark.parametrize("app_id", APP_IDS)
def test_the_sidecar_runs_without_rights_too(pods: dict[str, dict[str, Any]], app_id: str) -> None:
    context = sidecar(pods[app_id])["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert sidecar(pods[app_id])["resources"]["limits"].keys() >= {"cpu", "memory"}
