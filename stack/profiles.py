"""Which file of `components/` each role is played by: a profile's folder holds what differs from `embedded`."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from stack import resources
from stack.errors import StackError
from stack.home import CHECKOUT, Home

FOLDER: Final = CHECKOUT / "components"


@dataclass(frozen=True)
class Variant:
    """One product that can play a role."""

    role: str
    type: str
    profile: str
    path: Path

    @property
    def products(self) -> set[str]:
        """What a person may call it: `pubsub.rabbitmq` and `rabbitmq`, `state.aws.dynamodb`, `aws.dynamodb`, ..."""
        words = self.type.split(".")
        return {".".join(words[start:]) for start in range(len(words))}

    @property
    def secrets(self) -> list[str]:
        """Return the keys of `secrets.json` that its file refers to."""
        entries = yaml.safe_load(self.path.read_text())["spec"]["metadata"]
        return [entry["secretKeyRef"]["key"] for entry in entries if "secretKeyRef" in entry]


def names() -> list[str]:
    """Return the profiles, the one that everything falls back on first."""
    found = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    return [resources.DEFAULT_PROFILE, *sorted(found - {resources.DEFAULT_PROFILE})]


@cache
def variants() -> Sequence[Variant]:
    """Return every component file of every profile, read once a process; a file is named as its role."""
    found: list[Variant] = []
    for profile in names():
        for path in sorted((FOLDER / profile).glob("*.yaml")):
            document = yaml.safe_load(path.read_text())
            if document["kind"] == "Component":
                found.append(Variant(path.stem, document["spec"]["type"], profile, path))
    return tuple(found)


def chosen(words: Iterable[str]) -> dict[str, Variant]:
    """Read `PROFILE` and `ROLE=PRODUCT`; of two words about one role the later holds."""
    found: dict[str, Variant] = {}
    for word in words:
        role, given, product = word.partition("=")
        found |= _lanes(role, product) if given else _profile(word)
    return found


def name(home: Home) -> str:
    """Return the profile that is in use, or `mixed`."""
    choices, found = resources.choices(home), variants()
    by_default = {it.role: it.type for it in found if it.profile == resources.DEFAULT_PROFILE}
    in_use = by_default | {it.role: it.type for it in found if choices.get(it.role) == it.profile}
    for profile in names():
        if in_use == by_default | {it.role: it.type for it in found if it.profile == profile}:
            return profile
    return "mixed"


def _profile(profile: str) -> dict[str, Variant]:
    if profile not in names():
        raise StackError(f"there is no profile {profile!r}: there are {', '.join(names())}; or write ROLE=PRODUCT")
    return {it.role: it for it in variants() if it.profile in {resources.DEFAULT_PROFILE, profile}}


def _lanes(role: str, product: str) -> dict[str, Variant]:
    """Return the role's variant and, under that product, its further lanes: mail by `email` and `email-2` is one's."""
    chosen = _variant(role, product)
    lanes = [it for it in variants() if re.fullmatch(rf"{role}-\d+", it.role) and it.type == chosen.type]
    return {it.role: it for it in (*lanes, chosen)}


def _variant(role: str, product: str) -> Variant:
    of_role = [it for it in variants() if it.role == role]
    if not of_role:
        known = ", ".join(dict.fromkeys(it.role for it in variants()))
        raise StackError(f"there is no role {role!r}: there are {known}")
    for variant in of_role:
        if product in variant.products:
            return variant
    known = ", ".join(dict.fromkeys(it.type for it in of_role))
    raise StackError(f"{role} is not played by {product!r}: there are {known}")
