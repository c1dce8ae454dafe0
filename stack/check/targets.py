"""What resiliency files aim at, and whether the policies they name are there."""

from collections.abc import Iterator
from typing import Any

from stack.check.document import Document
from stack.check.finding import Finding, instead_of
from stack.check.resiliency import BUILT_IN, DEFAULTS
from stack.check.world import World

GROUPS = {"timeout": "timeouts", "retry": "retries", "circuitBreaker": "circuitBreakers"}
# A store that is being moved has these beside it for a while; their policies are there before them.
PASSING = ("-next", "-previous")
Keys = tuple[str, ...]


def findings(document: Document, world: World) -> Iterator[Finding]:
    """Yield targets that no sidecar has, and policies that none of the sidecars concerned would find."""
    if not document.scopes:
        remedy = f"name the app-ids concerned ({', '.join(sorted(world.app_ids))})"
        yield document.finding((), "no scopes: an edit would restart every sidecar's runtime", remedy)
    yield from _aims(document, world)
    for keys, target in parts(document):
        for use, name in target.items():
            if use in GROUPS:
                yield from _policy(document, world, (*keys, use), name)
    yield from _unmatched(document)
    yield from _twice(document, world)


def parts(document: Document) -> Iterator[tuple[Keys, dict[str, Any]]]:
    """Yield each group of policy names, with where it stands."""
    for group, targets in document.spec["targets"].items():
        for name, target in targets.items():
            if group == "components":
                for way, names in target.items():
                    yield ("spec", "targets", group, name, way), names
            else:
                yield ("spec", "targets", group, name), target


def _aims(document: Document, world: World) -> Iterator[Finding]:
    targets = document.spec["targets"]
    callable_names = world.app_ids | {it.name for it in world.of("HTTPEndpoint")} | world.broken
    for name in targets.get("apps", {}):
        if name not in callable_names:
            keys = ("spec", "targets", "apps", name)
            yield document.finding(keys, f"{name} is no app-id and no HTTPEndpoint", instead_of(name, callable_names))
    for name in targets.get("components", {}):
        keys = ("spec", "targets", "components", name)
        component = world.components.get(name)
        if component is None:
            role = next((name.removesuffix(end) for end in PASSING if name.endswith(end)), name)
            if not {name, role} & (world.broken | world.components.keys()):
                yield document.finding(keys, f"{name} is no component", instead_of(name, world.components))
        elif not any(component.reaches(app_id) for app_id in world.loaded_by(document)):
            said = f"{name} is loaded by {', '.join(component.scopes)} only, which this file's scopes leave out"
            yield document.finding(keys, said, "add one of them to its scopes")


def _policy(document: Document, world: World, keys: Keys, name: str) -> Iterator[Finding]:
    """Look for a policy in all files that the same sidecar loads: to it they are one pot."""
    group = GROUPS[keys[-1]]
    for app_id in world.loaded_by(document):
        pot = [it for it in world.of("Resiliency") if it.reaches(app_id)]
        names = {name for it in pot for name in it.spec["policies"].get(group, {})}
        if name not in names | (BUILT_IN if group == "retries" else set()):
            defined = any(name in it.spec["policies"].get(group, {}) for it in world.of("Resiliency"))
            remedy = "define it in this file" if defined else instead_of(name, names)
            yield document.finding(keys, f"{app_id} would have no policy {name} among its {group}", remedy)
            return


def _unmatched(document: Document) -> Iterator[Finding]:
    """Yield retries of calls that repeat whatever the answer was."""
    called = {target.get("retry") for target in document.spec["targets"].get("apps", {}).values()}
    for name, retry in document.spec["policies"].get("retries", {}).items():
        if name in called and not retry.get("matching"):
            said = f"apps are called with {name}, which has no matching: every 4xx is repeated, too"
            remedy = 'add matching: {httpStatusCodes: "500-599"}'
            yield document.finding(("spec", "policies", "retries", name), said, remedy)


def _twice(document: Document, world: World) -> Iterator[Finding]:
    """Of two policies or targets with one name, a sidecar takes the one it reads last."""
    earlier = [it for it in world.of("Resiliency") if it.path < document.path]
    for section in ("policies", "targets"):
        for group, entries in document.spec[section].items():
            for name in entries:
                for other in earlier:
                    shared = [each for each in world.loaded_by(document) if other.reaches(each)]
                    if shared and name in other.spec[section].get(group, {}):
                        said = f"{name} stands in {other.path.name} too, and {shared[0]} loads both"
                        yield document.finding(("spec", section, group, name), said, "rename or remove one")


def unused(document: Document) -> Iterator[Finding]:
    """Yield policies that no target of their file names."""
    used = {(GROUPS[use], name) for _, target in parts(document) for use, name in target.items() if use in GROUPS}
    for group, policies in document.spec["policies"].items():
        for name in policies:
            if (group, name) not in used and not DEFAULTS.fullmatch(name) and name not in BUILT_IN:
                said = f"no target of this file uses {name}"
                yield document.finding(("spec", "policies", group, name), said, "name it in a target, or remove it")
