"""One YAML file with the line of everything in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stack.check.finding import Finding

Key = str | int
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """The one resource of a file."""

    path: Path
    text: str
    body: dict[str, Any]
    lines: dict[tuple[Key, ...], int]

    @property
    def kind(self) -> str:
        """Return the kind, or what stands in its place."""
        return str(self.body.get("kind"))

    @property
    def name(self) -> str:
        """Return metadata.name; a file that has none is known by its own."""
        metadata = self.body.get("metadata")
        found = metadata.get("name") if isinstance(metadata, dict) else None
        return found if isinstance(found, str) else self.path.stem

    @property
    def spec(self) -> dict[str, Any]:
        """Return the spec of a document that fits its schema."""
        found: dict[str, Any] = self.body["spec"]
        return found

    @property
    def scopes(self) -> list[str]:
        """Return the app-ids that load it; none means all."""
        return list(self.body.get("scopes") or [])

    def reaches(self, app_id: str) -> bool:
        """Tell whether the sidecar of *app_id* loads it."""
        return not self.scopes or app_id in self.scopes

    def line(self, *keys: Key) -> int:
        """Return the line of the value at *keys*, or of the nearest thing around it."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)

    def finding(self, keys: tuple[Key, ...], what: str, remedy: str) -> Finding:
        """Say what is wrong with the value at *keys*."""
        return Finding(self.path, self.line(*keys), what, remedy)


def read(path: Path, text: str) -> Document | Finding:
    """Take *text* apart, or say why a sidecar could not."""
    loader = _LOADER(text)
    try:
        nodes: list[yaml.Node] = []
        while loader.check_node():
            nodes.append(loader.get_node())
        bodies = [_told_in_texts(loader.construct_document(node)) for node in nodes]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(error.problem or error.context).split())
        if error.problem and error.context and error.context_mark:
            said += f" {error.context} of line {error.context_mark.line + 1}"
        return Finding(path, mark.line + 1 if mark else 1, f"no valid YAML: {said}", "correct it")
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return Finding(path, 1, f"no valid YAML: {' '.join(str(error).split())}", "correct it")
    finally:
        loader.dispose()
    if len(nodes) > 1:
        line = nodes[1].start_mark.line + 1
        return Finding(
            path, line, "a second document starts here", "give each a file: a sidecar may read the first only"
        )
    if not bodies or not isinstance(bodies[0], dict):
        return Finding(path, 1, "holds no resource", "start with apiVersion, kind, metadata, spec")
    lines: dict[tuple[Key, ...], int] = {}
    twice = list(_walk(nodes[0], (), lines))
    if twice:
        line, key = twice[0]
        return Finding(path, line, f"{key} stands twice at this level", "keep one: the other is ignored")
    return Document(path, text, bodies[0], {(): nodes[0].start_mark.line + 1} | lines)


def _told_in_texts(value: Any) -> Any:
    """Make every key a text, as a sidecar does: YAML reads 5 as a number and `on` as true."""
    if isinstance(value, dict):
        return {str(key): _told_in_texts(each) for key, each in value.items()}
    return [_told_in_texts(each) for each in value] if isinstance(value, list) else value


def _walk(node: yaml.Node, at: tuple[Key, ...], lines: dict[tuple[Key, ...], int]) -> Iterator[tuple[int, str]]:
    """Note the line of each value below *node*; yield keys that stand twice, with the second's line."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                yield line, str(key.value)
            seen.add(str(key.value))
            lines[*at, str(key.value)] = line
            yield from _walk(value, (*at, str(key.value)), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*at, index] = item.start_mark.line + 1
            yield from _walk(item, (*at, index), lines)
