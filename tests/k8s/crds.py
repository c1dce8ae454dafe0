"""The definitions of what our manifests name beyond Kubernetes itself, from the modules that publish them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.k8s.go_programs import module_folder


@dataclass(frozen=True)
class Published:
    """A module, pinned by its digest, with the files in it that define resources."""

    module: str
    version: str
    digest: str
    files: str

    def paths(self) -> list[Path]:
        """Return the files; raise LookupError saying why they cannot be had."""
        found = sorted(module_folder(self.module, self.version, self.digest).glob(self.files))
        if not found:
            raise LookupError(f"{self.module} {self.version} holds no {self.files}")
        return found


# By the API group that they define.
PUBLISHED: Final = {
    "dapr.io": Published(
        "github.com/dapr/dapr", "v1.18.2", "h1:yT1BXImaUiYtIKaKVnOBiWVFqQU1ckQaiXkXEO2+Dh0=", "charts/dapr/crds/*.yaml"
    ),
    "keda.sh": Published(
        "github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
        "config/crd/bases/keda.sh_*.yaml",
    ),
    "postgresql.cnpg.io": Published(
        "github.com/cloudnative-pg/cloudnative-pg", "v1.27.0", "h1:mp0zlYO4vKAJmQdArWORWKr1lmB4Hj8JeBQGX5RBnpg=",
        "config/crd/bases/*.yaml",
    ),
    "rabbitmq.com": Published(
        "github.com/rabbitmq/cluster-operator", "v1.14.0", "h1:1/nMyd9v/8T5IHA1BVcWbV0nrzN31F+gLP+0Ges6Y5E=",
        "config/crd/bases/*.yaml",
    ),
    "mongodbcommunity.mongodb.com": Published(
        "github.com/mongodb/mongodb-kubernetes-operator", "v0.9.0", "h1:1SBmpQznWVbUgzi+ScNCNv6z5pLBwsSe4DUDKxHzFwc=",
        "config/crd/bases/*.yaml",
    ),
    "external-secrets.io": Published(
        "github.com/external-secrets/external-secrets", "v1.3.2", "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        "config/crds/bases/external-secrets.io_externalsecrets.yaml",
    ),
    "monitoring.coreos.com": Published(
        "github.com/prometheus-operator/prometheus-operator", "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd/monitoring.coreos.com_p[or][do]*.yaml",
    ),
    "gateway.networking.k8s.io": Published(
        "sigs.k8s.io/gateway-api", "v1.4.1", "h1:NPxFutNkKNa8UfLd2CMlEuhIPMQgDQ6DXNKG9sHbJU8=",
        "config/crd/standard/gateway*.yaml",
    ),
}  # fmt: skip
