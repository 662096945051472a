"""What text a regular expression cannot match without: read off its source, or not at all.

Knows just enough of RE2's syntax to be sure; whatever it does not know for certain has no literals. That
makes thousands of expressions a search for words, which is much cheaper than a search for expressions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST_BRANCHES = 32
"""Alternatives of an expression; one of more is not read, and a group that would make more is anything."""
_SOMETHING, _DOT, _ANYTHING = "", "dot", "any"
"""Tokens beside single characters: whatever; one character; any number of them. The last two: no newline."""
_ONE_OR_NOTHING = frozenset("dDwWsSbBAzaftnrvC")
"""After a backslash: a class, one character or a position."""
_QUANTIFIERS = frozenset("*+?{")
_COUNTED = re.compile(r"\{[0-9]+(,[0-9]*)?\}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Literal:
    """Characters that every match contains, one after the other.

    ``first``: every match begins with them; ``last``: it ends with them.
    """

    text: str
    first: bool
    last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Branch:
    """One alternative: the literals between what can be anything, in their order.

    ``enough``: a text without a newline that has the one literal where it should be, matches.
    """

    literals: tuple[Literal, ...]
    enough: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """An expression as alternatives. ``fold``: upper and lower case are the same."""

    branches: tuple[Branch, ...]
    fold: bool


class _Unsure(Exception):
    """The expression holds something that is not known here."""


def read_literals(pattern: str) -> Reading | None:
    """The literals of an anchored expression; None when they cannot be told for certain."""
    fold = pattern.startswith("(?i)")
    try:
        found = _Reader(pattern, 4 if fold else 0).branches()
    except _Unsure:
        return None
    return Reading(branches=tuple(map(_branch, found)), fold=fold)


class _Reader:
    """Goes through an expression, or through a group in it."""

    def __init__(self, pattern: str, at: int, *, inner: bool = False) -> None:
        self._pattern, self.at, self._inner = pattern, at, inner
        self._done: list[list[str]] = []
        self._now: list[list[str]] = [[]]

    def branches(self) -> list[list[str]]:
        """Every alternative, token by token; of a group, up to its end."""
        while self.at < len(self._pattern):
            character = self._pattern[self.at]
            if character == ")":
                if not self._inner:
                    raise _Unsure
                break
            self._take(character)
        else:
            if self._inner:
                raise _Unsure
        return [*self._done, *self._now]

    def _take(self, character: str) -> None:
        if character == "|":
            self._done += self._now
            self._now = [[]]
            self.at += 1
        elif character in _QUANTIFIERS:
            self._repeat(character)
        elif character == "(":
            self._group()
        elif character == "[":
            self.at = _skip_class(self._pattern, self.at)
            self._add(_SOMETHING)
        elif character == "\\":
            self._add(_escaped(self._pattern, self.at))
            self.at += 2
        else:
            self._add({".": _DOT, "^": _SOMETHING, "$": _SOMETHING}.get(character, character))
            self.at += 1
        if len(self._done) + len(self._now) > MOST_BRANCHES:
            raise _Unsure

    def _add(self, token: str) -> None:
        for branch in self._now:
            branch.append(token)

    def _repeat(self, character: str) -> None:
        """How often what stands before it comes is open; of ``.*`` it makes no difference to be lazy."""
        counted = _COUNTED.match(self._pattern, self.at)
        if character == "{" and counted is None:
            raise _Unsure
        for branch in self._now:
            if not branch:
                raise _Unsure
            if character == "*" and branch[-1] == _DOT:
                branch[-1] = _ANYTHING
            elif character != "?" or branch[-1] != _ANYTHING:
                branch[-1] = _SOMETHING
        self.at = counted.end() if counted else self.at + 1

    def _group(self) -> None:
        """Its alternatives, if they are few and nothing but characters; else anything."""
        start = self.at + 1
        if self._pattern.startswith("?", start):
            if not self._pattern.startswith("?:", start):
                raise _Unsure  # flags change what the rest means
            start += 2
        group = _Reader(self._pattern, start, inner=True)
        inner = group.branches()
        self.at = group.at + 1
        repeated = self._pattern[self.at : self.at + 1] in _QUANTIFIERS and self.at < len(self._pattern)
        plain = all(len(token) == 1 for branch in inner for token in branch)
        if repeated or not plain or len(inner) * len(self._now) > MOST_BRANCHES:
            self._add(_SOMETHING)
        else:
            self._now = [[*branch, *more] for branch in self._now for more in inner]


def _skip_class(pattern: str, start: int) -> int:
    """Behind the class that begins there."""
    at = start + 1 + (pattern[start + 1 : start + 2] == "^")
    at += pattern[at : at + 1] == "]"  # as the first it stands for itself
    while at < len(pattern):
        match pattern[at]:
            case "]":
                return at + 1
            case "[":
                raise _Unsure  # the name of a class
            case "\\":
                _escaped(pattern, at)
                at += 1
        at += 1
    raise _Unsure


def _escaped(pattern: str, at: int) -> str:
    """The token that is meant by a backslash and what follows it."""
    character = pattern[at + 1 : at + 2]
    if character in _ONE_OR_NOTHING:
        return _SOMETHING
    if not character.isascii() or character.isalnum() or not character:
        raise _Unsure
    return character


def _branch(tokens: Sequence[str]) -> Branch:
    found: list[Literal] = []
    begin = 0
    for end in range(len(tokens) + 1):
        if end < len(tokens) and len(tokens[end]) == 1:
            continue
        if end > begin or not tokens:
            text = "".join(tokens[begin:end])
            found.append(Literal(text=text, first=begin == 0, last=end == len(tokens)))
        begin = end + 1
    others = {token for token in tokens if len(token) != 1}
    return Branch(literals=tuple(found), enough=len(found) == 1 and others <= {_ANYTHING})
