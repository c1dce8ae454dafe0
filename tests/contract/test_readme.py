"""What README and docs tell people to type is there, and the ports and pages that they name are."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from stack import plan, topology
from stack.cli import app
from stack.home import CHECKOUT, Home

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
README = PAGES[0].read_text()
# What a sidecar's other ports are, besides its HTTP port: README says so in one sentence.
BESIDE = {"gRPC": 1000, "internal": 2000, "metrics": 6000}


def typed(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each `sidecart` and `make` that the page's code says, with the words after it."""
    text = page.read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    code = [line for block in blocks for line in block.splitlines()]
    code += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in code:
        for command in re.split(r"[;|]|&&|\$\(", line.partition("#")[0]):
            if found := re.match(r"\s*(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(sidecart|make) (.*)", command):
                yield found[1], re.sub(r"[()\"'].*", "", found[2]).split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_people_are_told_to_type_is_a_command(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)) | {".venv/.synced"}
    for program, words in typed(page):
        if program == "make":
            assert words[0] in targets, words
            continue
        command: Any = typer.main.get_command(app)
        while words and hasattr(command, "commands"):
            assert words[0] in command.commands, (page.name, words)
            command = command.commands[words.pop(0)]
        known = {name for option in command.params for name in option.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, (page.name, words)


def test_the_port_tables_name_every_port() -> None:
    rows = [line for line in README.splitlines() if re.match(r"\|.*\d{4}", line)]
    named = {int(number) for row in rows for number in re.findall(r"\b\d{4,5}\b", row)}
    needed = plan.ports(Home(Path("/nowhere"), 0), topology.load())
    beside = {app.dapr_http_port + more for app in topology.load().apps for more in BESIDE.values()}
    assert named == set(needed.values()) - beside
    assert beside <= set(needed.values())
    assert all(f"{what} port is its HTTP port plus {more:,}" in README for what, more in BESIDE.items())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        assert link.startswith("http") or (page.parent / link).exists(), link
