"""Dapr's own description of its files, from the Go modules of the runtime: `make dapr-schemas`."""

import json
import os
import re
from pathlib import Path
from typing import Any

import yaml

from stack.check.schema import DEFINITIONS, SCHEMAS
from stack.check.upstream_components import components
from stack.errors import StackError
from stack.runtime_build import SOURCE

# Kubernetes says nothing about it here: its own server checks it.
METADATA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"},
        "namespace": {"type": "string"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
# Asked of Kubernetes' operator; here a sidecar takes both from its command line.
OPTIONAL = {"controlPlaneTrustDomain", "sentryAddress"}
WIDTH = 120


def module(name: str) -> Path:
    """Return the unpacked source of a module that `dapr/runtime/go.mod` pins; raise `StackError` where it is not."""
    pinned = re.search(rf"^\s*github\.com/dapr/{name} (v\S+)", (SOURCE / "go.mod").read_text(), re.MULTILINE)
    folder = Path(os.environ.get("GOPATH") or Path.home() / "go") / "pkg" / "mod"
    cache = Path(os.environ.get("GOMODCACHE") or folder)
    found = cache / "github.com" / "dapr" / f"{name}@{pinned[1] if pinned else 'unpinned'}"
    if not found.is_dir():
        raise StackError(f"{found} is not there: run `go mod download` in {SOURCE}")
    return found


def generate() -> dict[str, str]:
    """Return each file of `schemas/` with its content, from the modules."""
    dapr, contrib = module("dapr"), module("components-contrib")
    files = {f"{name}.json": _schema(dapr, kind, name) for kind, name in DEFINITIONS.items()}
    said = f"From metadata.yaml files and registrations of {contrib.name} and {dapr.name} (Apache-2.0)."
    types = components(dapr, contrib)
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(types[name])}" for name in sorted(types))
    return files | {"types.json": f'{{"$comment": {json.dumps(said)},\n{rows}}}\n'}


def _schema(dapr: Path, kind: str, name: str) -> str:
    path = dapr / "charts" / "dapr" / "crds" / f"{name}.yaml"
    definition = yaml.safe_load(path.read_text())["spec"]
    (version,) = [each for each in definition["versions"] if each["storage"]]
    schema = _closed(version["schema"]["openAPIV3Schema"])
    schema["properties"] |= {
        "apiVersion": {"const": f"{definition['group']}/{version['name']}"},
        "kind": {"const": kind},
        "metadata": METADATA,
    }
    said = f"From charts/dapr/crds/{name}.yaml of {dapr.name} (Apache-2.0), without descriptions, closed."
    return _text({"$comment": said, "required": ["apiVersion", "kind", "metadata", "spec"], **schema}) + "\n"


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Refuse what a sidecar would silently ignore: fields that the definition does not name."""
    kept = {key: value for key, value in schema.items() if key in {"type", "enum", "required"}}
    if "required" in kept:
        kept["required"] = [name for name in kept["required"] if name not in OPTIONAL]
    if "properties" in schema:
        kept |= {"properties": {name: _closed(each) for name, each in schema["properties"].items()}}
        kept["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            kept[key] = _closed(schema[key])
    return kept


def _text(value: Any, indent: int = 0) -> str:
    """Write JSON with each part that fits on one line on one line."""
    flat = json.dumps(value)
    if len(flat) + indent <= WIDTH or not isinstance(value, dict):
        return flat
    pad = " " * (indent + 1)
    rows = [f"{pad}{json.dumps(key)}: {_text(each, indent + 1)}" for key, each in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"


if __name__ == "__main__":
    for name, text in generate().items():
        (SCHEMAS / name).write_text(text)
