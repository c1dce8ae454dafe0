"""Component files of the running system: found by name, and renamed without losing what people wrote in them."""

import re
from pathlib import Path
from typing import Any

import yaml

from stack.check import running
from stack.check.inspection import identity, unusable
from stack.errors import StackError
from stack.home import Home

# A store that is not the role's own must not keep a sidecar from starting.
_TOLERANT = "  ignoreErrors: true  # not the store in use: a sidecar starts without it"


def holder(home: Home, name: str) -> Path | None:
    """Return the file that holds the component *name*."""
    held = running.present(home)
    return next((path for path, text in held.items() if identity(path, text) == ("Component", name)), None)


def read_store(home: Home, file: Path, role: str) -> str:
    """Return the text of *file*, which must be a state store that can take *role*."""
    text = running.filled_in(home, file)
    running.refuse(unusable({file: text}))
    found = identity(file, text)
    if found != ("Component", role):
        said = " ".join(found or ("nothing",))
        raise StackError(f"{file}: it is {said}: a store that takes its place must be Component {role}")
    document = yaml.safe_load(text)
    if not str(document["spec"]["type"]).startswith("state."):
        raise StackError(f"{file}: its type is {document['spec']['type']}: documents need a state store")
    prefix = {str(entry.get("name")).lower(): entry.get("value") for entry in document["spec"].get("metadata", [])}
    if prefix.get("keyprefix") == "name":
        raise StackError(f"{file}: keyPrefix name would lose every key when the component changes its name: use appid")
    return text


def scopes(text: str) -> list[str]:
    """Return the app-ids that a component is for."""
    return [str(app_id) for app_id in yaml.safe_load(text).get("scopes") or []]


def named(text: str, name: str, *, tolerant: bool = False) -> str:
    """Return the component under another name; *tolerant*, a sidecar goes on where it cannot be had."""
    document: dict[str, Any] = yaml.safe_load(text)
    lines = [line for line in text.split("\n") if line != _TOLERANT]
    if tolerant and "spec:" in lines:
        lines.insert(lines.index("spec:") + 1, _TOLERANT)
    before = re.escape(str(document["metadata"]["name"]))
    pattern = re.compile(rf"^(metadata:\n(?:[ #].*\n|\n)*?  name: )['\"]?{before}['\"]?$", re.MULTILINE)
    changed = pattern.sub(rf"\g<1>{name}", "\n".join(lines), count=1)
    document["metadata"]["name"] = name
    document["spec"].pop("ignoreErrors", None)
    if tolerant:
        document["spec"]["ignoreErrors"] = True
    if yaml.safe_load(changed) != document:
        raise StackError(f"component {name}: write `metadata:`, its `name:` and `spec:` on lines of their own")
    return changed
