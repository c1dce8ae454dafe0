"""Putting one YAML file into the running system, checked first: a sidecar skips or dies of a broken one."""

from pathlib import Path
from typing import Any

import yaml

from stack import resources
from stack.errors import StackError
from stack.home import Home

# Kind -> what its spec must hold.
KINDS: dict[str, tuple[str, ...]] = {
    "Component": ("type", "version"),
    "Subscription": ("topic", "pubsubname"),
    "Configuration": (),
    "HTTPEndpoint": ("baseUrl",),
    "Resiliency": ("policies", "targets"),
}


def apply(home: Home, file: Path) -> Path:
    """Replace, in one step, the file that holds the same kind and name; return where it now lies."""
    try:
        text = resources.fill_in(home, file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{file} cannot be read: {error}") from error
    kind, name = check(file, text)
    folder = home.config if kind == "Configuration" else home.resources
    holders = [path for path in sorted(folder.glob("*.y*ml")) if _identity(path) == (kind, name)]
    if len(holders) > 1:
        said = " and ".join(str(path) for path in holders)
        raise StackError(f"{kind} {name} is already held by {said}: remove all but one")
    target = holders[0] if holders else folder / f"{name}.yaml"
    if not holders and target.exists():
        target = folder / f"{name}-{kind.lower()}.yaml"
    temporary = home.run / f"{target.name}.new"
    temporary.write_text(text)
    temporary.replace(target)
    return target


def check(origin: Path, text: str) -> tuple[str, str]:
    """Return kind and name of the one resource in *text*, or say what is wrong with it."""
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise StackError(f"{origin}: no valid YAML: {' '.join(str(error).split())}") from error
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise StackError(f"{origin}: must hold exactly one YAML document: sidecars read the first and skip the others")
    document: dict[str, Any] = documents[0]
    kind = document.get("kind")
    if kind not in KINDS:
        raise StackError(f"{origin}: kind is {kind!r}: it must be one of {', '.join(KINDS)}")
    if not str(document.get("apiVersion")).startswith("dapr.io/v"):
        raise StackError(f"{origin}: apiVersion is {document.get('apiVersion')!r}: it must be dapr.io/v...")
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name.replace("-", "").replace(".", "").isalnum():
        raise StackError(f"{origin}: metadata.name is {name!r}: give letters, digits, dots and hyphens")
    spec = document.get("spec")
    missing = [field for field in KINDS[kind] if not isinstance(spec, dict) or field not in spec]
    if missing or not isinstance(spec, dict):
        raise StackError(f"{origin}: spec{'.' if missing else ''}{' and spec.'.join(missing)} is missing")
    return kind, name


def _identity(path: Path) -> tuple[str, str] | None:
    try:
        return check(path, path.read_text())
    except (StackError, OSError):
        return None
