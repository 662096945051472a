"""What a report is told in: sections, and the words and figures in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remediator.core.times import Instant, format_instant


class Name(str):
    """A text that is shown as it is, and means nothing to whoever renders the rest."""

    __slots__ = ()


Text = tuple[str, ...]
"""Plain words and ``Name``s, one after the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A head and rows; all columns but the first ``left`` are numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A line of a list, lines below it, and perhaps YAML to copy."""

    text: Text
    below: tuple[Text, ...] = ()
    code: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A heading and what stands under it, in this order."""

    title: str
    lines: tuple[Text, ...] = ()
    table: Table | None = None
    items: tuple[Item, ...] = ()


def item(text: str) -> Item:
    """A line of plain words."""
    return Item(text=(text,))


def many(count: int, what: str) -> str:
    """``1 alert``, ``2 alerts``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def total(counts: Mapping[str, int]) -> int:
    """Of all kinds together."""
    return sum(counts.values())


def listed(counts: Mapping[str, int]) -> str:
    """``: 2 SEV-2, 1 SEV-3``, or nothing."""
    return ": " + ", ".join(f"{count:,} {name}" for name, count in counts.items()) if counts else ""


def arrow(before: int, after: int) -> str:
    """From one figure to another; one alone where they are the same."""
    return f"{before:,}" if before == after else f"{before:,} → {after:,} ({after - before:+,})"


def step(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """From one total to another."""
    return arrow(total(before), total(after))


def outcomes(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Each kind, from one figure to another."""
    names = sorted({*before, *after})
    told = [f"{name} {arrow(before.get(name, 0), after.get(name, 0))}" for name in names]
    return ": " + ", ".join(told) if told else ""


def changed(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Those that are not as many as before."""
    names = [name for name in sorted({*before, *after}) if before.get(name, 0) != after.get(name, 0)]
    return "".join(f"; {name} {arrow(before.get(name, 0), after.get(name, 0))}" for name in names)


def minute(at: Instant) -> str:
    """A moment, to the minute."""
    return format_instant(at)[:16].replace("T", " ")


def second(at: Instant) -> str:
    """A moment, to the second."""
    return format_instant(at)[:19].replace("T", " ")
