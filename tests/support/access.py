"""What a sidecar decides from its access control: the runtime's matching of paths, told in Python.

Its rules are not those of a router, and a policy that ignores them denies what it lists:
- patterns are compared segment by segment, and on each level the first that fits is taken, with no way back;
- a pattern that ends at a segment decides for everything below it;
- `*` fits a last segment only, and also stands for its parent; in the middle of a path an id is `**`;
- a verb that the pattern does not list is denied.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any


@dataclass
class Level:
    pattern: str = ""
    verbs: frozenset[str] | None = None
    below: list["Level"] = field(default_factory=list)

    def pick(self, segment: str, *, last: bool) -> "Level | None":
        for lower in self.below:
            if lower.pattern == "*" and not last and segment != "*":
                continue
            if lower.pattern in {segment, "*", "**"} or fnmatchcase(segment, lower.pattern):
                return lower
        return None


def tree(operations: Iterable[dict[str, Any]]) -> Level:
    root = Level()
    for operation in operations:
        level = root
        for segment in operation["name"].lower().removeprefix("/").split("/"):
            known = next((lower for lower in level.below if lower.pattern == segment), None)
            if known is None:
                known = Level(segment)
                level.below.append(known)
            level = known
        if level.verbs is None:
            level.verbs = frozenset(operation["httpVerb"] if operation["action"] == "allow" else ())
    return root


def allows(policies: Iterable[dict[str, Any]], caller: str, verb: str, path: str) -> bool:
    """Tell whether a call from *caller* would reach the app, under policies that deny by default."""
    policy = next((policy for policy in policies if policy["appId"] == caller), None)
    level: Level | None = tree(policy["operations"]) if policy else None
    segments = path.lower().removeprefix("/").split("/")
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        level = level.pick(segment, last=last) if level else None
        if level is None:
            return False
        if level.verbs is not None and (last or level.pattern != "*"):
            return verb in level.verbs
        if last:
            level = level.pick("*", last=True)
            return level is not None and level.verbs is not None and verb in level.verbs
    return False
