"""What text a regular expression cannot match without: read off its source, or not at all.

Knows just enough of RE2's syntax to be sure; whatever it does not know for certain has no literals. That
makes thousands of expressions a search for words, which is much cheaper than a search for expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_OR_NOTHING = frozenset("dDwWsSbBAzaftnrvC")
"""After a backslash: a class, one character or a position."""
_QUANTIFIER = re.compile(r"\{[0-9]+(,[0-9]*)?\}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Literal:
    """Characters that every match contains, one after the other.

    ``first``: every match begins with them; ``last``: it ends with them.
    """

    text: str
    first: bool
    last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """An expression as alternatives; each is the literals between what can be anything, in their order."""

    branches: tuple[tuple[Literal, ...], ...]

    @property
    def words(self) -> tuple[str, ...] | None:
        """The only texts that match; None when there are others."""
        if all(len(branch) == 1 and branch[0].first and branch[0].last for branch in self.branches):
            return tuple(dict.fromkeys(branch[0].text for branch in self.branches))
        return None


class _Unsure(Exception):
    """The expression holds something that is not known here."""


def read_literals(pattern: str) -> Reading | None:
    """The literals of an anchored expression; None when they cannot be told for certain."""
    try:
        return Reading(branches=tuple(_literals(branch) for branch in _branches(pattern)))
    except _Unsure:
        return None


def _branches(pattern: str) -> list[list[str]]:
    """Top-level alternatives, each a list of characters; an empty one stands for anything at all."""
    branches: list[list[str]] = [[]]
    at = 0
    while at < len(pattern):
        character, own = pattern[at], branches[-1]
        if character == "|":
            branches.append([])
            at += 1
        elif character in "*+?{":
            found = _QUANTIFIER.match(pattern, at)
            if not own or (character == "{" and found is None):
                raise _Unsure
            own[-1] = ""  # how often, is open
            at = found.end() if found else at + 1
        elif character in "([":
            at = _skip(pattern, at)
            own.append("")
        elif character == "\\":
            own.append(_escaped(pattern, at))
            at += 2
        elif character == ")":
            raise _Unsure
        else:
            own.append("" if character in ".^$" else character)
            at += 1
    return branches


def _skip(pattern: str, start: int) -> int:
    """Behind the group or the class that begins there."""
    if pattern[start] == "[":
        return _skip_class(pattern, start)
    depth, at = 0, start
    while at < len(pattern):
        character = pattern[at]
        if character == "[":
            at = _skip_class(pattern, at)
            continue
        if character == "\\":
            _escaped(pattern, at)
            at += 1
        elif character == "(":
            if pattern[at + 1 : at + 2] == "?" and pattern[at + 2 : at + 3] != ":":
                raise _Unsure  # flags change what the rest means
            depth += 1
        elif character == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise _Unsure


def _skip_class(pattern: str, start: int) -> int:
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
    """The character that is meant by a backslash and what follows it; empty when it can be several."""
    character = pattern[at + 1 : at + 2]
    if character in _ONE_OR_NOTHING:
        return ""
    if not character.isascii() or character.isalnum() or not character:
        raise _Unsure
    return character


def _literals(branch: list[str]) -> tuple[Literal, ...]:
    found: list[Literal] = []
    begin = 0
    for end in range(len(branch) + 1):
        if end < len(branch) and branch[end]:
            continue
        if end > begin or not branch:
            text = "".join(branch[begin:end])
            found.append(Literal(text=text, first=begin == 0, last=end == len(branch)))
        begin = end + 1
    return tuple(found)
