"""docs/safety.md is true: every guard has its row, in order, with its own words and a test that is there."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from remediator.guards import GUARDS
from tests.docs.blocking import SCENES, said
from tests.docs.console import ROOT

PAGE = ROOT / "docs" / "safety.md"
COLUMNS = ["guard", "what it reads", "default", "what it says when it blocks", "proven by"]
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    for line in PAGE.read_text()
    .partition("## The guards, in their order")[2]
    .partition("\n## ")[0]
    .splitlines()
    if line.startswith("| `")
]


NODES = [
    line.rstrip().rstrip("|").rsplit("|", 1)[1].strip()
    for line in PAGE.read_text().partition("\n## Nodes\n")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and "::" in line
]


@cache
def proofs_in(path: str) -> frozenset[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text())
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


def test_every_guard_has_one_row_in_the_order_in_which_they_are_asked() -> None:
    """A guard without one is not documented; a row without one promises what nobody does."""
    assert "| " + " | ".join(COLUMNS) + " |" in PAGE.read_text()
    assert [row[0].strip("`") for row in ROWS] == [guard.name for guard in GUARDS]
    assert all(len(row) == len(COLUMNS) and all(row) for row in ROWS)
    assert list(SCENES) == [guard.name for guard in GUARDS]


async def test_each_guard_says_what_the_page_says() -> None:
    """And it does block then, or withhold the change."""
    verdicts = await said()
    assert [name for name, verdict in verdicts.items() if verdict.allowed] == []
    shown = {row[0].strip("`"): row[3] for row in ROWS}
    assert shown == {name: verdict.text for name, verdict in verdicts.items()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_the_test_that_proves_it_is_there(row: list[str]) -> None:
    path, _, name = row[4].strip("`").partition("::")
    assert name in proofs_in(path)


def test_what_keeps_nodes_from_harm_is_proven() -> None:
    assert len(NODES) > 5
    for proof in NODES:
        path, _, name = proof.strip("`").partition("::")
        assert name in proofs_in(path), proof
