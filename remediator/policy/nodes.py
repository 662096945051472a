"""YAML text to nodes that know where they stand.

Built from ruamel.yaml's events rather than from its objects: depth, size and aliases are bounded while the
file is read, so that no file can hang or exhaust the reader. Scalars follow the core schema of YAML 1.2
(``yes`` and ``on`` are text).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from remediator.core.text import plain
from remediator.policy.effort import REPEAT_LESS, Effort
from remediator.policy.findings import Findings, Spot, quoted

MOST_DEPTH = 20
MOST_NODES = 100_000
LONGEST_LINE = 8_192
"""ruamel.yaml takes quadratic time for a long tag; no line that people write is that long."""

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INT = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,2})?", re.ASCII)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:x.{2}|u.{4}|U.{8}|.)|''|.", re.DOTALL)
_STRING_TAGS = frozenset(("!", "!!str", "tag:yaml.org,2002:str"))

PARSER_FAULTS = (
    YAMLError,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
)
"""What ruamel.yaml raises over malformed files: besides its own errors, a few that its scanner forgot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scalar:
    """Text, a number, a boolean or nothing. ``raw`` is the source as written, quotes included."""

    at: Spot
    value: str | int | float | bool | None
    text: str
    raw: str

    def spot(self, offset: int) -> Spot:
        """Where character ``offset`` of the text stands, if it stands on the first line; else its start."""
        quote = self.raw[:1]
        if "\n" in self.raw or quote in ("|", ">"):
            return self.at
        if quote not in ("'", '"'):
            return self.at.moved(min(offset, len(self.raw)))
        pieces = _ESCAPE.findall(self.raw[1:-1]) if quote == '"' else re.findall("''|.", self.raw[1:-1])
        return self.at.moved(1 + sum(map(len, pieces[:offset])))


@dataclass(frozen=True, kw_only=True, slots=True)
class Items:
    """A list."""

    at: Spot
    items: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A key with its value."""

    key: Scalar
    value: Node


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A mapping, in the order of the file. Every key stands once."""

    at: Spot
    entries: tuple[Entry, ...]

    def get(self, name: str) -> Entry | None:
        """The entry of that key."""
        return next((entry for entry in self.entries if entry.key.text == name), None)


Node = Scalar | Items | Table


def to_data(node: Node) -> object:
    """The node as plain values: dict, list, str, int, float, bool or None."""
    match node:
        case Scalar():
            return node.value
        case Items():
            return [to_data(item) for item in node.items]
        case Table():
            return {entry.key.text: to_data(entry.value) for entry in node.entries}


def follow(node: Node, pattern: Sequence[str]) -> Iterator[Node]:
    """Every node that ``pattern`` leads to: keys of tables, indices of lists, ``*`` for every item."""
    if not pattern:
        yield node
    elif pattern[0] == "*" and isinstance(node, Items):
        for item in node.items:
            yield from follow(item, pattern[1:])
    elif isinstance(node, Items) and pattern[0].isdecimal() and int(pattern[0]) < len(node.items):
        yield from follow(node.items[int(pattern[0])], pattern[1:])
    elif isinstance(node, Table) and (entry := node.get(pattern[0])) is not None:
        yield from follow(entry.value, pattern[1:])


def scalars(node: Node) -> Iterator[Scalar]:
    """Every scalar that is a value, in order."""
    match node:
        case Scalar():
            yield node
        case Items():
            for item in node.items:
                yield from scalars(item)
        case Table():
            for entry in node.entries:
                yield from scalars(entry.value)


def compose(path: str, text: str, out: Findings, effort: Effort | None = None) -> tuple[Node, ...] | None:
    """The documents of a file; None when it is not YAML, or more of it than is read (which is in ``out``).

    ``effort``: what has been spent on the files before, where texts may be regular expressions.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE:
            at = Spot(path=path, line=number)
            out.add(
                at, "P003", f"the line has {len(line)} characters; break it: at most {LONGEST_LINE} are read"
            )
            return None
    builder = _Builder(path=path, text=text, out=out, effort=effort)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except _Stopped:
        return None
    except PARSER_FAULTS as error:
        at, message = _explain_fault(path, text, error)
        out.add(at, "P002", message)
        return None
    return tuple(builder.documents)


class _Stopped(Exception):
    """The rest of the file is not read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What an anchor stands for. ``weight``: of how many values; ``depth``: how deep collections are nested
    in it. Both with aliases expanded."""

    node: Node
    weight: int
    depth: int


@dataclass(kw_only=True, slots=True)
class _Frame:
    """A collection that is not closed yet. ``depth``: of what stands in it so far."""

    at: Spot
    table: bool
    anchor: str | None
    children: list[Node] = field(default_factory=list)
    weight: int = 1
    depth: int = 0


@dataclass(kw_only=True, slots=True)
class _Builder:
    """Puts nodes together. ``weight`` counts nodes with aliases expanded: what a reader would walk.

    Of a node that is put, ``weight`` is its own size and ``fresh`` what of it was not counted before.
    """

    path: str
    text: str
    out: Findings
    effort: Effort | None
    documents: list[Node] = field(default_factory=list)
    open: list[_Frame] = field(default_factory=list)
    anchors: dict[str, _Known] = field(default_factory=dict)
    weight: int = 0

    def take(self, event: Event) -> None:
        """One more event."""
        at = Spot(path=self.path, line=event.start_mark.line + 1, column=event.start_mark.column + 1)
        match event:
            case DocumentStartEvent():
                self.anchors.clear()
            case ScalarEvent():
                self._put(self._scalar(event, at), event.anchor, weight=1, fresh=1)
            case SequenceStartEvent() | MappingStartEvent():
                self._begin(event, at)
            case SequenceEndEvent() | MappingEndEvent():
                frame = self.open.pop()
                node = self._table(frame) if frame.table else Items(at=frame.at, items=tuple(frame.children))
                self._put(node, frame.anchor, weight=frame.weight, fresh=1, depth=frame.depth + 1)
            case AliasEvent():
                self._alias(event, at)
            case _:
                pass

    def _begin(self, event: SequenceStartEvent | MappingStartEvent, at: Spot) -> None:
        if len(self.open) >= MOST_DEPTH:
            self._stop(at, f"nested deeper than {MOST_DEPTH}; no policy needs that")
        if event.tag is not None:
            self._refuse_tag(at)
        table = isinstance(event, MappingStartEvent)
        self.open.append(_Frame(at=at, table=table, anchor=event.anchor))

    def _alias(self, event: AliasEvent, at: Spot) -> None:
        known = self.anchors.get(event.anchor)
        if known is None:
            self._stop(at, f"*{plain(event.anchor, 60)} refers to an anchor that is not complete before it")
        if len(self.open) + known.depth > MOST_DEPTH:
            self._stop(at, f"nested deeper than {MOST_DEPTH}, aliases expanded; no policy needs that")
        self._put(known.node, None, weight=known.weight, fresh=known.weight, depth=known.depth)

    def _put(self, node: Node, anchor: str | None, *, weight: int, fresh: int, depth: int = 0) -> None:
        self.weight += fresh
        if self.weight > MOST_NODES:
            self._stop(node.at, f"more than {MOST_NODES} values, aliases expanded; split the file")
        if anchor is not None:
            self.anchors[anchor] = _Known(node=node, weight=weight, depth=depth)
        if self.open:
            frame = self.open[-1]
            frame.children.append(node)
            frame.weight += weight
            frame.depth = max(frame.depth, depth)
        else:
            self.documents.append(node)

    def _scalar(self, event: ScalarEvent, at: Spot) -> Scalar:
        text: str = event.value
        if _CONTROL.search(text):
            self.out.add(at, "P002", "the text holds control characters or lone surrogates; leave them out")
            text = _CONTROL.sub("\ufffd", text)
        if self.effort is not None and not self.effort.spend(text):
            self._stop(at, f"regular expressions are too large from here on; {REPEAT_LESS}")
        plain_style = event.style is None and event.tag is None
        if event.tag is not None and str(event.tag) not in _STRING_TAGS:
            self._refuse_tag(at)
        raw = self.text[event.start_mark.index : event.end_mark.index]
        return Scalar(at=at, value=_resolve(text) if plain_style else text, text=text, raw=raw)

    def _table(self, frame: _Frame) -> Table:
        entries: dict[str, Entry] = {}
        for key, value in zip(frame.children[::2], frame.children[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.out.add(key.at, "P013", "a key must be text, not a list or a mapping")
            elif (first := entries.get(key.text)) is not None:
                name = quoted(key.text)
                where = f"line {first.key.at.line}, column {first.key.at.column}"
                self.out.add(
                    key.at, "P004", f"{name} stands twice in this mapping, first at {where}; keep one"
                )
            else:
                entries[key.text] = Entry(key=key, value=value)
        return Table(at=frame.at, entries=tuple(entries.values()))

    def _refuse_tag(self, at: Spot) -> None:
        self.out.add(at, "P002", "YAML tags are not read; remove what begins with an exclamation mark")

    def _stop(self, at: Spot, message: str) -> NoReturn:
        self.out.add(at, "P003", message)
        raise _Stopped


def _resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Source: YAML 1.2.2, 10.3.2 (without infinities and octal numbers)."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _explain_fault(path: str, text: str, error: Exception) -> tuple[Spot, str]:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        at = Spot(path=path, line=mark.line + 1, column=mark.column + 1)
        return at, f"not valid YAML: {plain(problem, 160)}; look at the indentation and quotes here and above"
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line = before.count("\n")
        at = Spot(path=path, line=line + 1, column=len(before) - (before.rfind("\n") + 1) + 1)
        return at, "a control character cannot stand in YAML; remove it"
    return Spot(path=path), f"not valid YAML: {plain(str(error), 160)}"
