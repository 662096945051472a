"""What can be known of a regular expression without running it: which texts it stands for.

Only what people write in matchers is understood: literals, alternations, groups, ``.*`` and ``.+``. Anything
else has no shape, and then nothing is claimed of it. A label with a line break, which ``.`` does not match,
is left out of account: nothing in the field has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from remediator.core.matchers import Matcher, MatchOp

MOST_ALTERNATIVES = 64
LONGEST_PATTERN = 2_000
MOST_GAPS = 4
"""In one alternative: each ``.*`` doubles the texts that stand for it."""

_ANY, _SOME, _STRANGE = "\ue000", "\ue001", "\ue002"
"""``.*``, ``.+``, and a character that no pattern holds. Of the private use area."""
_OWN = frozenset((_ANY, _SOME, _STRANGE))
_SPECIAL = frozenset("[]{}*+?^$")


@dataclass(frozen=True, slots=True)
class Shape:
    """The alternatives of a pattern: literals in which two characters stand for ``.*`` and ``.+``."""

    alternatives: tuple[str, ...]

    @property
    def listed(self) -> frozenset[str] | None:
        """Every text that it matches; None when there are endlessly many."""
        return None if any(_gaps(each) for each in self.alternatives) else frozenset(self.alternatives)

    @property
    def everything(self) -> bool:
        """Whether it matches every text, the empty one included."""
        return any(each and not each.strip(_ANY) for each in self.alternatives)

    @property
    def something(self) -> bool:
        """Whether it matches every text but perhaps the empty one."""
        gaps = [each for each in self.alternatives if each and not each.strip(_ANY + _SOME)]
        return any(each.count(_SOME) <= 1 for each in gaps)  # .+.+ takes two characters at least

    def samples(self) -> tuple[str, ...]:
        """Texts that it matches, such that a pattern *with a shape* that matches all of them matches all that
        this one does: a gap is filled with a character that only another gap can take, or with nothing.
        """
        return tuple(text for each in self.alternatives for text in _filled(each))

    def apart(self, other: Shape) -> bool:
        """Whether it is certain that no text matches both."""
        return all(_apart(one, two) for one in self.alternatives for two in other.alternatives)


def _gaps(alternative: str) -> int:
    return alternative.count(_ANY) + alternative.count(_SOME)


def _filled(alternative: str) -> Iterator[str]:
    choices = [
        ("", _STRANGE) if each == _ANY else (_STRANGE if each == _SOME else each,) for each in alternative
    ]
    return ("".join(parts) for parts in product(*choices))


def _apart(one: str, two: str) -> bool:
    """By what they begin and end with."""
    if not _gaps(one) and not _gaps(two):
        return one != two
    head = zip(_head(one), _head(two), strict=False)
    tail = zip(_head(one[::-1]), _head(two[::-1]), strict=False)
    return any(a != b for a, b in (*head, *tail))


def _head(alternative: str) -> str:
    for number, character in enumerate(alternative):
        if character in (_ANY, _SOME):
            return alternative[:number]
    return alternative


@lru_cache(maxsize=16_384)
def shape_of(pattern: str) -> Shape | None:
    """The shape of a pattern as matchers have it (anchored at both ends); None when it has none."""
    if len(pattern) > LONGEST_PATTERN or not _OWN.isdisjoint(pattern):
        return None
    reader = _Reader(pattern)
    try:
        alternatives = reader.alternation()
    except (_NoShape, RecursionError):
        return None
    if reader.at < len(pattern) or any(_gaps(each) > MOST_GAPS for each in alternatives):
        return None
    return Shape(tuple(dict.fromkeys(alternatives)))


def takes_everything(matcher: Matcher) -> bool:
    """Whether every value satisfies it, that of a missing label included."""
    shape = shape_of(matcher.value) if matcher.op is MatchOp.MATCHES else None
    return shape is not None and shape.everything


def heads(matcher: Matcher) -> frozenset[str] | None:
    """What a value begins with when the matcher ``=~`` holds: one of these, at most 64 characters of it."""
    shape = shape_of(matcher.value) if matcher.op is MatchOp.MATCHES else None
    return None if shape is None else frozenset(_head(each)[:64] for each in shape.alternatives)


def possible_values(matchers: Iterable[Matcher], name: str) -> frozenset[str] | None:
    """The only values of label ``name`` for which all matchers hold; None when they are no short list."""
    own = [matcher for matcher in matchers if matcher.name == name]
    listed: frozenset[str] | None = None
    for matcher in own:
        if matcher.op is MatchOp.EQUAL:
            values: frozenset[str] | None = frozenset((matcher.value,))
        elif matcher.op is MatchOp.MATCHES and (shape := shape_of(matcher.value)) is not None:
            values = shape.listed
        else:
            continue
        if values is not None:
            listed = values if listed is None else listed & values
    if listed is None:
        return None
    return frozenset(value for value in listed if all(matcher.matches({name: value}) for matcher in own))


class _NoShape(Exception):
    """Something that is not understood."""


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self._text, self.at, self._depth = text, 0, 0

    def alternation(self) -> list[str]:
        """Up to the end, or to a closing parenthesis."""
        found = self._sequence()
        while self._next() == "|":
            self.at += 1
            found += self._sequence()
            if len(found) > MOST_ALTERNATIVES:
                raise _NoShape
        return found

    def _sequence(self) -> list[str]:
        found = [""]
        while (character := self._next()) not in ("", "|", ")"):
            parts = self._part(character)
            if len(parts) == 1:
                found = [each + parts[0] for each in found]
            else:
                found = [each + part for each in found for part in parts]
            if len(found) > MOST_ALTERNATIVES:
                raise _NoShape
        return found

    def _part(self, character: str) -> list[str]:
        self.at += 1
        if character == "(":
            return self._group()
        if character == ".":
            gap = {"*": _ANY, "+": _SOME}.get(self._next())
            if gap is None:
                raise _NoShape
            self.at += 1
            return [gap] if self._next() not in ("*", "+", "{") else self._none()
        if character == "\\":
            character = self._next()
            if not character or character.isalnum() or not character.isascii():
                raise _NoShape
            self.at += 1
        elif character in _SPECIAL:
            raise _NoShape
        return [character]

    def _group(self) -> list[str]:
        if self._text.startswith("?:", self.at):
            self.at += 2
        self._depth += 1
        if self._depth > 10:
            raise _NoShape
        found = self.alternation()
        if self._next() != ")":
            raise _NoShape
        self.at += 1
        self._depth -= 1
        return found

    def _none(self) -> list[str]:
        raise _NoShape

    def _next(self) -> str:
        return self._text[self.at : self.at + 1]
