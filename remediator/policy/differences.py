"""What one set of policy files says otherwise than another, in the words of the files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from remediator.core.text import plain
from remediator.policy.draft import SECTIONS, Draft
from remediator.policy.findings import Spot
from remediator.policy.nodes import Items, Node, Scalar, Table, to_data

LONGEST_VALUE = 80
"""Characters of a value that is shown."""
SILENT = frozenset(("channels",))
"""Sections of which no value is shown: how people are reached is as good as a secret."""
NEW, GONE = "new", "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """A key of an object, or a whole one, that is another, new or gone.

    ``subject``: ``severity SEV-2``. ``key``: ``raise after``; where no values are told, what became of it.
    ``before`` and ``after``: the values, in one line; None where there is none. ``where``: its place in the
    files after, or before where it has gone.
    """

    subject: str
    key: str
    before: str | None = None
    after: str | None = None
    where: str


def differences(before: Draft, after: Draft) -> tuple[Changed, ...]:
    """Everything that changes, by section, in the order of the files after."""
    found = [changed for name in SECTIONS for changed in _of_section(name, before, after)]
    return (*found, *_of_order(before, after))


def _of_section(name: str, before: Draft, after: Draft) -> Iterator[Changed]:
    one, two = before.section(name), after.section(name)
    assert one is not None
    assert two is not None
    for item in dict.fromkeys((*two.items, *one.items)):
        subject = f"{one.what} {item}" if item else name
        old, new = one.items.get(item), two.items.get(item)
        if new is None or old is None:
            known, what = (old, GONE) if new is None else (new, NEW)
            yield Changed(subject=subject, key=what, where=str(known.at if known is not None else ""))
            continue
        for each in _compare(old.node, new.node, (), new.at):
            yield _told(subject, each, silent=name in SILENT)


def _told(subject: str, leaf: _Leaf, *, silent: bool) -> Changed:
    key, where = " ".join(leaf.path), str(leaf.at)
    if silent:
        return Changed(subject=subject, key=f"{key}, another value", where=where)
    return Changed(
        subject=subject, key=key, before=_shown(leaf.before), after=_shown(leaf.after), where=where
    )


def _of_order(before: Draft, after: Draft) -> Iterator[Changed]:
    """The first that matches wins, so the order of the rules that both have says something, too."""
    old = [name for name in before.rules.items if name in after.rules.items]
    new = [name for name in after.rules.items if name in before.rules.items]
    for one, two in zip(old, new, strict=True):
        if one != two:
            at = after.rules.items[two].at
            yield Changed(subject="rules", key=f"another order, from {two} on", where=str(at))
            return


@dataclass(frozen=True, kw_only=True, slots=True)
class _Leaf:
    """A value that differs, by the keys on the way to it."""

    path: tuple[str, ...]
    before: Node | None
    after: Node | None
    at: Spot


def _compare(old: Node, new: Node, path: tuple[str, ...], at: Spot) -> Iterator[_Leaf]:
    """``at``: where the object stands, or its key."""
    if to_data(old) == to_data(new):
        return
    if isinstance(old, Table) and isinstance(new, Table):
        yield from _compare_tables(old, new, path, at)
    elif isinstance(old, Items) or isinstance(new, Items):
        yield from _compare_items(_items(old), _items(new), path, at)
    else:
        yield _Leaf(path=path, before=old, after=new, at=at)


def _compare_tables(old: Table, new: Table, path: tuple[str, ...], at: Spot) -> Iterator[_Leaf]:
    for key in dict.fromkeys(entry.key.text for entry in (*new.entries, *old.entries)):
        one, two = old.get(key), new.get(key)
        if one is not None and two is not None:
            yield from _compare(one.value, two.value, (*path, key), two.key.at)
        elif two is not None:
            yield _Leaf(path=(*path, key), before=None, after=two.value, at=two.key.at)
        elif one is not None:
            yield _Leaf(path=(*path, key), before=one.value, after=None, at=at)


def _items(node: Node) -> tuple[Node, ...]:
    """One of a kind may be written without a list around it."""
    return node.items if isinstance(node, Items) else (node,)


def _compare_items(
    old: Sequence[Node], new: Sequence[Node], path: tuple[str, ...], at: Spot
) -> Iterator[_Leaf]:
    """Item by item where there are as many; else what has gone, and what is new."""
    if len(old) == len(new) and not any(isinstance(each, Scalar) for each in (*old, *new)):
        for one, two, name in zip(old, new, _names(new), strict=True):
            yield from _compare(one, two, (*path, *name), two.at)
        return
    gone, fresh = _without(old, new), _without(new, old)
    if len(gone) == len(fresh) == 1:
        yield _Leaf(path=path, before=gone[0], after=fresh[0], at=fresh[0].at)
        return
    for node in gone:
        yield _Leaf(path=path, before=node, after=None, at=at)
    for node in fresh:
        yield _Leaf(path=path, before=None, after=node, at=node.at)
    if not gone and not fresh:
        yield _Leaf(path=(*path, "order"), before=_list(old, at), after=_list(new, at), at=at)


def _names(items: Sequence[Node]) -> Iterator[tuple[str, ...]]:
    """How each is told from the others: by its level, by the one key that only it has, or by its number."""
    only = [
        each.entries[0].key.text if isinstance(each, Table) and len(each.entries) == 1 else ""
        for each in items
    ]
    times = Counter(only)
    for number, item in enumerate(items):
        if isinstance(item, Table) and (level := item.get("level")) is not None:
            yield (f"level {_shown(level.value)}",)
        elif len(items) == 1 or (only[number] and times[only[number]] == 1):
            yield ()
        else:
            yield (str(number + 1),)


def _without(some: Sequence[Node], others: Sequence[Node]) -> list[Node]:
    left = Counter(map(_content, others))
    found = []
    for node in some:
        content = _content(node)
        if left[content]:
            left[content] -= 1
        else:
            found.append(node)
    return found


def _content(node: Node) -> str:
    return json.dumps(to_data(node), sort_keys=True)


def _list(items: Sequence[Node], at: Spot) -> Node:
    return Items(at=at, items=tuple(items))


def _shown(node: Node | None) -> str | None:
    return None if node is None else plain(_written(node), LONGEST_VALUE)


def _written(node: Node) -> str:
    match node:
        case Scalar():
            return node.text
        case Items():
            return f"[{', '.join(map(_written, node.items))}]"
        case Table():
            return f"{{{', '.join(f'{each.key.text}: {_written(each.value)}' for each in node.entries)}}}"
