"""Putting one YAML file into the running system, checked first: a sidecar skips or dies of a broken one."""

from pathlib import Path

import yaml

from stack import moving, records, resources
from stack.check import running
from stack.check.inspection import identity
from stack.errors import StackError
from stack.home import Home


def read(home: Home, file: Path) -> str:
    """Return what *file* comes to here, or say what is wrong with it, or what it would break."""
    text = running.filled_in(home, file)
    running.refuse(running.arrivals(home, {file: text}), to_see_all=f"sidecart check {file}")
    return text


def apply(home: Home, file: Path) -> Path:
    """Replace, in one step, the file that holds the same kind and name; return where it now lies."""
    text = read(home, file)
    moving.refuse_in_place(home, file, text)
    found = identity(file, text)
    if found is None:
        raise StackError(f"{file} holds no resource")
    kind, name = found
    folder = home.config if kind == "Configuration" else home.resources
    holders = [path for path, held in running.present(home).items() if identity(path, held) == found]
    if len(holders) > 1:
        said = " and ".join(str(path) for path in holders)
        raise StackError(f"{kind} {name} is already held by {said}: remove all but one")
    target = holders[0] if holders else folder / f"{name}.yaml"
    if not holders and target.exists():
        target = folder / f"{name}-{kind.lower()}.yaml"
    home.put(target, text)
    return target


def prepare(home: Home) -> None:
    """Bring the checkout's files to a home that has none: its first start would put them beside or over this one."""
    home.make_directories()
    if not resources.is_seeded(home):
        resources.seed(home, reset=False)


def effect(home: Home, target: Path) -> str:
    """Say who reads *target*, and from when on."""
    document = yaml.safe_load(target.read_text())
    if document["kind"] == "Configuration":
        who = f"the sidecars of {document['metadata']['name']}"
    else:
        scopes = document.get("scopes")
        who = f"the sidecars of {', '.join(scopes)}" if scopes else "every sidecar"
    if records.running(home) is None:
        return f"nothing runs in {home.root}: {who} will read it from the next `sidecart up` on"
    return f"{who} in {home.root} take it up now: `sidecart status` says whether they could"
