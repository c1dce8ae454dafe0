"""Another store for a role whose documents stay in reach: all the steps of docs/swapping.md, one after another."""

import time
from pathlib import Path
from typing import Final

import yaml

from stack import copying, resources, stores
from stack.component_files import holder
from stack.errors import StackError
from stack.home import Home
from stack.profiles import Variant
from stack.progress import Progress

# Roles whose documents a service can list and copy.
ROLES: Final = frozenset({"order-details"})


def move(home: Home, role: str, variant: Variant, progress: Progress) -> None:
    """Copy, swap, copy the rest; the store before stays readable until `sidecart state finish`, or the next move."""
    _complete_former(home, role, progress)
    if _elsewhere(home, role, variant):
        _finish_former(home, role, progress)
        if stores.introduce(home, role, variant.path):
            copying.forget(home)
        copying.run(home, role, progress)
        copying.swap(home, role)
    resources.choose(home, {role: variant.profile})
    copying.run(home, role, progress)


def unfinished(home: Home, role: str) -> bool:
    """Tell whether a move of *role* was cut off after its store was replaced, so that the same words complete it."""
    return role in ROLES and copying.owed(home, role)


def refuse_to_leave(home: Home, variants: dict[str, Variant]) -> None:
    """Raise `StackError` where a start with other stores would put documents out of reach."""
    for role in ROLES & variants.keys():
        if holder(home, role) and _elsewhere(home, role, variants[role]):
            raise StackError(
                f"the documents of {role} lie in another store than {variants[role].type}: "
                f"`sidecart up`, then `sidecart swap {role}={variants[role].type}`, which moves them"
            )


def refuse_in_place(home: Home, file: Path, text: str) -> None:
    """Raise `StackError` where *text* would put another product in the place of a store that keeps documents."""
    document = yaml.safe_load(text)
    path = holder(home, role) if (role := document["metadata"]["name"]) in ROLES else None
    if path is None or document["kind"] != "Component":
        return
    here, there = yaml.safe_load(path.read_text())["spec"]["type"], document["spec"]["type"]
    if here != there:
        raise StackError(f"{file}: the documents of {role} lie in {here}: `sidecart state copy --to {file}` moves them")


def _elsewhere(home: Home, role: str, variant: Variant) -> bool:
    wanted = resources.fill_in(home, variant.path.read_text(), role)
    return stores.current(home, role).read_text() != wanted


def _complete_former(home: Home, role: str, progress: Progress) -> None:
    if holder(home, f"{role}-previous") and holder(home, f"{role}-next"):
        progress.say(f"the swap of {role} that was interrupted is completed first")
        copying.swap(home, role)


def _finish_former(home: Home, role: str, progress: Progress) -> None:
    if holder(home, f"{role}-previous") is None or holder(home, f"{role}-next") is not None:
        return
    if left := copying.under_way_s(home, role):
        progress.say(f"{left:.0f} s more until nothing can be under way to {role}-previous")
        time.sleep(left)
    copying.finish(home, role, progress)
