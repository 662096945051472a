"""A report as Markdown, for a pull request: whatever strangers wrote, it is text in a code span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediator.core.text import plain
from remediator.rehearsal.backtest.words import Item, Name, Section, Table, Text

_HARMLESS = str.maketrans({"`": "'", "<": "‹", ">": "›", "|": "¦"})
"""What could end a code span or a cell, or begin a tag or a mention, and what stands for it."""


def as_markdown(sections: Iterable[Section]) -> str:
    """The whole report."""
    lines = list(_lines(sections))
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept).rstrip() + "\n"


def _lines(sections: Iterable[Section]) -> Iterator[str]:
    for number, section in enumerate(sections):
        yield f"{'##' if number == 0 else '###'} {section.title}"
        yield ""
        for line in section.lines:
            yield _text(line)
            yield ""
        if section.table is not None:
            yield from _table(section.table)
            yield ""
        for item in section.items:
            yield from _item(item)
        if section.items:
            yield ""


def _item(item: Item) -> Iterator[str]:
    yield f"* {_text(item.text)}"
    for line in item.below:
        yield f"  * {_text(line)}"
    if item.code:
        yield ""
        yield "  ```yaml"
        yield from (f"  {line}".rstrip() for line in _harmless(item.code, many=True).splitlines())
        yield "  ```"
        yield ""


def _text(text: Text) -> str:
    return "".join(_code(part) if isinstance(part, Name) else part for part in text)


def _code(text: str) -> str:
    return f"`{_harmless(text) or ' '}`"


def _harmless(text: str, *, many: bool = False) -> str:
    lines = text.splitlines() if many else [text]
    return "\n".join(plain(line, 1000) if not many else line for line in lines).translate(_HARMLESS)


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.head)} |"
    ruler = ["---" if number < table.left else "--:" for number in range(len(table.head))]
    yield f"|{'|'.join(ruler)}|"
    for first, *rest in table.rows:
        yield f"| {' | '.join((_code(first), *rest))} |"
