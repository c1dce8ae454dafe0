"""Every component type that Dapr has, with the fields it takes, read from the modules' sources."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Types = dict[str, dict[str, dict[str, Any]]]
# Called required and not so: it may come with each request, has a default, or another field takes its place.
OPTIONAL = {
    *("deliverPolicy", "emailFrom", "emailTo", "fileName", "fromNumber", "subject", "toNumber"),
    *("vaultToken", "vaultTokenMountPath"),
}
# Fields that the built-in ways to authenticate read: their descriptions are not in the module.
AUTHENTICATION = {
    "aws": "common/aws/auth/*.go",
    "azuread": "common/authentication/azure/metadata-properties.go",
    "gcp": "pubsub/gcp/pubsub/*.go",
}
# Their lists of values are not what the sources take.
OPEN = {"saslMechanism"}
_TAG = re.compile(r'\bmapstructure(?:aliases)?:"([\w, ]+)"')
_QUOTED = re.compile(r'"([a-z][A-Za-z0-9]+)"')
_REGISTERED = re.compile(r'[(,]\s*"([a-z][a-z0-9.-]*)"(?=\s*[,)])')


def components(dapr: Path, contrib: Path) -> Types:
    """Return type -> version -> what its file may say; a type without a description has no versions."""
    found: Types = {name: {} for name in _registered(dapr)}
    for path in sorted(contrib.rglob("metadata.yaml")):
        # One of them holds a tab, which YAML forbids.
        described: dict[str, Any] = yaml.safe_load(path.read_text().replace("\t", " "))
        name = f"{described['type']}.{described['name']}"
        if described["type"] == "middleware" and not described["name"].startswith("http."):
            name = f"middleware.http.{described['name']}"
        if name in found:
            found[name][described["version"]] = _entry(contrib, path.parent, described)
    return found


def _registered(dapr: Path) -> Iterator[str]:
    """Yield the types that the runtime's registrations name."""
    for path in sorted((dapr / "cmd" / "daprd" / "components").glob("*_*.go")):
        group = path.name.partition("_")[0].replace("middleware", "middleware.http")
        body = path.read_text().partition("func init()")[2]
        for name in _REGISTERED.findall(body):
            if not re.fullmatch(r"v\d+", name):
                yield f"{group}.{name}"


def _entry(contrib: Path, folder: Path, described: dict[str, Any]) -> dict[str, Any]:
    profiles = described.get("authenticationProfiles") or []
    builtin = described.get("builtinAuthenticationProfiles") or []
    fields = {each["name"]: _field(each) for each in described.get("metadata") or []}
    for profile in [*profiles, *builtin]:
        for each in profile.get("metadata") or []:
            field: dict[str, Any] = {**_field(each), "required": False}
            same = fields.get(each["name"])
            # One way to authenticate allows this value, another way that one.
            if same and same["allowed"] and field["allowed"]:
                field = {**same, "allowed": sorted({*same["allowed"], *field["allowed"]})}
            fields[each["name"]] = field if not same or same["allowed"] else same
    sources = [path for path in folder.glob("*.go") if not path.name.endswith("_test.go")]
    extra = _tags(sources) | {name for each in builtin for name in _authentication(contrib, each["name"])}
    taken = {name.casefold() for name in fields}
    return {
        "fields": {name: {key: value for key, value in field.items() if value} for name, field in fields.items()},
        "also": sorted(name for name in extra if name.casefold() not in taken),
    }


def _field(each: dict[str, Any]) -> dict[str, Any]:
    allowed = [] if each["name"] in OPEN else [str(value) for value in each.get("allowedValues") or []]
    return {
        "type": "" if each.get("type") == "string" else each.get("type"),
        # One that is for input alone, or for output, is not asked of the other.
        "required": bool(each.get("required")) and each["name"] not in OPTIONAL and "binding" not in each,
        "sensitive": each.get("sensitive"),
        "allowed": allowed,
    }


def _authentication(contrib: Path, name: str) -> set[str]:
    paths = sorted(contrib.glob(AUTHENTICATION[name]))
    if name == "azuread":
        # Behind these come the names of storage, which its own components describe.
        credentials = paths[0].read_text().partition("MetadataKeys")[2].partition("storage components")[0]
        return set(_QUOTED.findall(credentials)) | {"useAzureAD", "useEntraID"}
    return _tags(paths) | {"useAWSIAM", "awsRegion", "awsAccessKey", "awsSecretKey", "awsSessionToken"}


def _tags(paths: list[Path]) -> set[str]:
    found = {name.strip() for path in paths for tag in _TAG.findall(path.read_text()) for name in tag.split(",")}
    return {name for name in found if name not in {"squash", "omitempty", ""}}
