from pathlib import Path
from typing import Annotated

import typer

from stack import resources, topology
from stack.check import checkout, running
from stack.check.finding import Finding
from stack.errors import StackError
from stack.home import CHECKOUT, Home, current_home

Paths = Annotated[list[Path] | None, typer.Argument(help="Files or folders; the checkout's own when left out.")]


def check(
    paths: Paths = None,
    running_ones: Annotated[bool, typer.Option("--running", help="Check what the running sidecars read.")] = False,
) -> None:
    """Check components, subscriptions, policies, configurations and endpoints before a sidecar sees them."""
    home = current_home()
    if running_ones and paths:
        raise StackError("give paths or --running, not both")
    if running_ones and not running.present(home):
        raise StackError(f"nothing in {home.resources} yet: `sidecart up` puts it there")
    found = running.findings(home) if running_ones else _of(home, paths) if paths else checkout.findings()
    for finding in found:
        print(_near(finding))
    if found:
        raise StackError(f"{len(found)} to repair" if len(found) > 1 else "1 to repair")


def _of(home: Home, paths: list[Path]) -> list[Finding]:
    """Check some files only, each in the company it has: the checkout, the running system, or what it would join."""
    asked = {each.resolve() for path in paths for each in _expanded(path)}
    ours = {path for profile in checkout.profiles() for path in checkout.files(profile)} & asked
    lively = {path for path in asked if path.parent in {home.resources.resolve(), home.config.resolve()}}
    found = [each for each in checkout.findings() if each.path in ours] if ours else []
    if lively:
        found += [each for each in running.findings(home) if each.path.resolve() in lively]
    guests = {path: run_file for path in asked - ours - lively for run_file in _run_files(path)}
    for run_file in sorted(set(guests.values())):
        found += [each for each in checkout.guests(run_file) if each.path in guests]
    texts = {path: running.text_of(path) for path in sorted(asked - ours - lively - guests.keys())}
    found += [text for text in texts.values() if isinstance(text, Finding)]
    strangers = {
        path: resources.fill_in(home, text, str(path)) for path, text in texts.items() if isinstance(text, str)
    }
    return found + (running.arrivals(home, strangers) if strangers else [])


def _run_files(path: Path) -> list[Path]:
    """Return the run file that *path* belongs to, if it came with one."""
    return [found for folder in path.parents[:2] if (found := folder / topology.DEFAULT_FILE.name).is_file()]


def _expanded(path: Path) -> list[Path]:
    """Return a folder's resources: other YAML may lie there too, such as the run file."""
    if not path.is_dir():
        return [path]
    found = [each for each in sorted(path.rglob(running.PATTERN)) if "dapr.io/" in each.read_text(errors="replace")]
    if not found:
        raise StackError(f"{path} holds nothing that a sidecar reads: name another folder, or a file")
    return found


def _near(finding: Finding) -> str:
    """Tell a path of the checkout as one sees it from there."""
    return str(finding).removeprefix(f"{CHECKOUT}/") if Path.cwd() == CHECKOUT else str(finding)
