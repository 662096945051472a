"""The examples of ``docs/findings.md``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SECTION = re.compile(r"^## ([A-Z]\d{3})\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```yaml\n# ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One side of an example, with the files that stand beside it."""

    code: str
    wrong: bool
    files: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.code}-{'wrong' if self.wrong else 'corrected'}"


def page() -> str:
    """The whole page."""
    return (Path(__file__).parents[1] / "docs" / "findings.md").read_text()


def block(title: str) -> str:
    """The block that begins with this comment."""
    return next(str(text) for found, text in _BLOCK.findall(page()) if found.startswith(title))


def examples() -> Iterator[Example]:
    """Both sides of each."""
    for code, section in _SECTION.findall(page()):
        blocks = _BLOCK.findall(section)
        for side in ("wrong", "corrected"):
            own = [(title, text) for title, text in blocks if title.startswith(side)]
            if own:
                yield Example(code=code, wrong=side == "wrong", files=dict(_files(own)))


def _files(blocks: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    alone = any(title.endswith("alone") for title, _ in blocks)
    if not alone:
        yield "base.yaml", block("base")
        if not any(re.search("^guards:", text, re.MULTILINE) for _, text in blocks):
            yield "guards.yaml", block("guards")
    for title, text in blocks:
        _, _, name = title.partition(", in ")
        yield name or "x.yaml", text
