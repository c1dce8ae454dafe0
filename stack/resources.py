"""The YAML that running sidecars read: seeded from the checkout, then the operator's."""

import hashlib
import json
import re
from pathlib import Path

from stack import traces
from stack.errors import StackError
from stack.home import CHECKOUT, Home

# Sidecars watch the first folder; a Configuration per app-id lies in the second.
DEFAULT_PROFILE = "embedded"
RESOURCE_FOLDERS = (f"components/{DEFAULT_PROFILE}", "dapr/subscriptions", "resiliency")
CONFIG_FOLDER = "dapr/config"
CARD_PROCESSOR_PORT = 8030
CARD_PROCESSOR_2_PORT = 8031
_PLACEHOLDER = re.compile(r"\$\{(SIDECART_[A-Z0-9_]+)\}")


def seed(home: Home, *, reset: bool) -> list[str]:
    """Bring the checkout's files home and return the names of those an operator has edited, which stay as they are.

    A file that nobody touched follows the checkout; one that was edited or removed by hand stays so until *reset*.
    """
    if reset:
        _choices_file(home).unlink(missing_ok=True)
    seeded: dict[str, str] = {} if reset else _seeded(home)
    edited: list[str] = []
    for target, text in _sources(home).items():
        key = str(target.relative_to(home.root))
        wanted = _digest(text)
        present = _digest(target.read_text()) if target.exists() else None
        if not reset and key in seeded and present != seeded[key]:
            edited.append(key)
            continue
        if present != wanted:
            home.put(target, text)
        seeded[key] = wanted
    _remove_dropped(home, seeded, reset=reset)
    _manifest(home).write_text(json.dumps(seeded, indent=1))
    return edited


def is_seeded(home: Home) -> bool:
    """Tell whether the checkout's files were ever brought to this home."""
    return _manifest(home).exists()


def choices(home: Home) -> dict[str, str]:
    """Return the profile that each role's file comes from, where that is not the default."""
    path = _choices_file(home)
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found


def choose(home: Home, profiles: dict[str, str]) -> None:
    """Take each role's file from the named profile, whatever is there now, and keep to it at later starts."""
    made = choices(home) | profiles
    keep_choices(home, {role: profile for role, profile in made.items() if profile != DEFAULT_PROFILE})
    seeded = _seeded(home)
    for role, profile in profiles.items():
        source = CHECKOUT / "components" / profile / f"{role}.yaml"
        target = home.resources / source.name
        text = fill_in(home, source.read_text(), str(source))
        if not target.exists() or target.read_text() != text:
            home.put(target, text)
        seeded[str(target.relative_to(home.root))] = _digest(text)
    _manifest(home).write_text(json.dumps(seeded, indent=1))


def keep_choices(home: Home, made: dict[str, str]) -> None:
    """Remember the profile that each role's file comes from, where that is not the default."""
    _choices_file(home).write_text(json.dumps(made, indent=1))


def fill_in(home: Home, text: str, origin: str) -> str:
    """Replace each `${SIDECART_...}` that Dapr cannot take from the environment itself."""
    values = {
        "SIDECART_HOME": str(home.root),
        "SIDECART_CARD_PROCESSOR_URL": f"http://127.0.0.1:{home.port(CARD_PROCESSOR_PORT)}",
        "SIDECART_CARD_PROCESSOR_2_URL": f"http://127.0.0.1:{home.port(CARD_PROCESSOR_2_PORT)}",
    }

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise StackError(f"{origin}: {match[0]} is unknown: there are {', '.join(values)}")
        return values[match[1]]

    # A comment may speak of a placeholder without meaning one.
    return "\n".join(
        line if line.lstrip().startswith("#") else _PLACEHOLDER.sub(value, line) for line in text.split("\n")
    )


def _sources(home: Home) -> dict[Path, str]:
    found: dict[Path, str] = {}
    chosen = choices(home)
    for folder in (*RESOURCE_FOLDERS, CONFIG_FOLDER):
        directory = home.config if folder == CONFIG_FOLDER else home.resources
        for path in sorted((CHECKOUT / folder).glob("*.yaml")):
            target = directory / path.name
            if folder == RESOURCE_FOLDERS[0] and path.stem in chosen:
                path = path.parents[1] / chosen[path.stem] / path.name  # noqa: PLW2901 - the same role's other file
            if target in found:
                raise StackError(f"{path}: another folder has a file of this name: rename one")
            text = fill_in(home, path.read_text(), str(path))
            found[target] = traces.told(home, path.stem, text) if folder == CONFIG_FOLDER else text
    return found


def _remove_dropped(home: Home, seeded: dict[str, str], *, reset: bool) -> None:
    """Remove files that the checkout no longer has, unless they were edited; all strangers on *reset*."""
    current = {str(path.relative_to(home.root)) for path in _sources(home)}
    for path in [*home.resources.glob("*.yaml"), *home.config.glob("*.yaml")]:
        key = str(path.relative_to(home.root))
        untouched = key in seeded and _digest(path.read_text()) == seeded[key]
        if key not in current and (reset or untouched):
            path.unlink()
    for key in seeded.keys() - current:
        del seeded[key]


def _manifest(home: Home) -> Path:
    return home.data / "seeded.json"


def _seeded(home: Home) -> dict[str, str]:
    found: dict[str, str] = json.loads(_manifest(home).read_text()) if _manifest(home).exists() else {}
    return found


def _choices_file(home: Home) -> Path:
    return home.data / "choices.json"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
