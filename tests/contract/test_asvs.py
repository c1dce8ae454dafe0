"""docs/asvs.md names every item of ASVS 5.0.0 that is about identity, and no test that does not exist."""

import ast
import re
from typing import Final

import pytest

from tests.support.documents import CHECKOUT

DOCS: Final = CHECKOUT / "docs"
# How many items each section of chapters 6 to 10 has.
ITEMS: Final = {
    "6.1": 3, "6.2": 12, "6.3": 8, "6.4": 6, "6.5": 8, "6.6": 4, "6.7": 2, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2,
    "8.1": 4, "8.2": 4, "8.3": 3, "8.4": 2, "9.1": 3, "9.2": 4,
    "10.1": 2, "10.2": 3, "10.3": 5, "10.4": 16, "10.5": 5, "10.6": 2, "10.7": 3,
}  # fmt: skip
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (DOCS / "asvs.md").read_text().splitlines()
    if re.match(r"\| \d", line)
]
TEST: Final = re.compile(r"`([\w/]+\.py)::(\w+)`")
LINK: Final = re.compile(r"\[\w+\.md\]\((\w+\.md)(?:#([\w-]+))?\)")


def test_every_item_is_there_once_and_in_order() -> None:
    assert [row[0] for row in ROWS] == [f"{section}.{n + 1}" for section, count in ITEMS.items() for n in range(count)]
    assert {len(row) for row in ROWS} == {5}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_is_met_is_proved_and_what_is_not_has_its_reason(row: list[str]) -> None:
    _, level, _, met, proof = row
    assert level in {"1", "2", "3"}
    assert met in {"met", "partly", "not met", "n/a"}
    assert proof
    assert met in {"not met", "n/a"} or TEST.search(proof) or LINK.search(proof), "nothing proves it"
    for file, name in TEST.findall(proof):
        assert name in functions(file), f"there is no {file}::{name}"
    for page, place in LINK.findall(proof):
        assert not place or place in headings(page), f"{page} has no #{place}"


def test_the_head_says_what_of_level_one_is_open() -> None:
    said = re.search(r"Of level 1 these are not wholly met: ([\d., ]+)\.\n", (DOCS / "asvs.md").read_text())
    assert said
    open_ = [item for item, level, _, met, _ in ROWS if level == "1" and met in {"partly", "not met"}]
    assert said[1].split(", ") == open_


def functions(file: str) -> set[str]:
    tree = ast.parse((CHECKOUT / "tests" / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def headings(page: str) -> set[str]:
    found = re.findall(r"(?m)^#+ (.+)$", (DOCS / page).read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}
