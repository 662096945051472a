"""What the candidate's files say otherwise, as a section of the report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remediator.policy.differences import Changed
from remediator.rehearsal.backtest.words import Item, Name, Section, Text, item, many

LISTED = 40
"""Keys and objects that are named."""


def tell_differences(found: Sequence[Changed]) -> Iterator[Section]:
    """One line each, in the words of the files; no section where there is none."""
    if found:
        items = [Item(text=_line(each)) for each in found[:LISTED]]
        if len(found) > len(items):
            items.append(item(f"and {many(len(found) - len(items), 'more difference')}"))
        yield Section(title="What the candidate says otherwise", items=tuple(items))


def _line(each: Changed) -> Text:
    values: Text
    match each.before, each.after:
        case None, None:
            values = ()
        case None, str(after):
            values = (", new: ", Name(after))
        case str(before), None:
            values = (", gone: ", Name(before))
        case str(before), str(after):
            values = (" ", Name(before), " → ", Name(after))
    return (Name(each.subject), ": ", Name(each.key), *values, " (", Name(each.where), ")")
