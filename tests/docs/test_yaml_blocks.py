"""No page shows YAML that is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from remediator.policy.findings import Findings
from remediator.policy.nodes import compose
from tests.docs.console import ROOT

BLOCK = re.compile(r"^```yaml[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    path
    for path in sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
    if BLOCK.search(path.read_text())
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_yaml_block_is_yaml(path: Path) -> None:
    """Whoever's it is: ours is read by the loader elsewhere, that of other programs at least by a parser."""
    text = path.read_text()
    for block in BLOCK.finditer(text):
        if block[1].startswith("# wrong\n"):  # shown for what is wrong with it; run by its own test
            continue
        out = Findings()
        assert compose(str(path), block[1], out) is not None
        line = text.count("\n", 0, block.start()) + 1
        assert not out.found, f"{path}:{line}: {out.found[0]}"
