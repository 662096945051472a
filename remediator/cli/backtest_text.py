"""A backtest's report as a person reads it on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from remediator.core.text import plain
from remediator.rehearsal.backtest.words import Item, Name, Section, Table
from remediator.rehearsal.backtest.words import Text as Words

LONGEST = 500


def say_report(out: Console, sections: Iterable[Section]) -> None:
    """Say all of it."""
    for number, section in enumerate(sections):
        if number:
            out.print("")
        out.print(Text(section.title, style="bold"))
        for line in section.lines:
            out.print(_words(line, "  "))
        if section.table is not None:
            for row in _table(section.table):
                out.print(row)
        for item in section.items:
            _say(out, item)


def _say(out: Console, item: Item) -> None:
    out.print(_words(item.text, "  - "))
    for line in item.below:
        out.print(_words(line, "      ", "dim"))
    for code in item.code.splitlines():
        out.print(Text(f"      {plain_keeping_blanks(code)}", style="cyan"))


def _words(words: Words, indent: str, style: str = "") -> Text:
    text = Text(indent, style=style)
    for part in words:
        text.append(plain_keeping_blanks(part), "bold" if isinstance(part, Name) and not style else style)
    return text


def plain_keeping_blanks(text: str) -> str:
    """Without what could move the cursor; blanks around words stay."""
    if text.isprintable():
        return text
    return plain(text, LONGEST)


def _table(table: Table) -> Iterable[Text]:
    widths = [max(len(row[n]) for row in (table.head, *table.rows)) for n in range(len(table.head))]
    for number, row in enumerate((table.head, *table.rows)):
        cells = [
            cell.ljust(width) if place < table.left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield Text(f"  {'  '.join(cells)}".rstrip(), style="dim" if number == 0 else "")
