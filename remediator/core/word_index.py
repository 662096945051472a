"""Expressions found by a word that their matches begin or end with, or that is all of a match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import re2

from remediator.core.literals import Branch, Reading

SHORTEST_INSIDE, SHORTEST_AT_AN_END = 3, 2
"""Characters. Shorter ones are in too many values."""
MOST_LENGTHS = 16
"""Different lengths of words that are looked up: one more is one look more for every value."""
_NOTHING: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A word without which an alternative of an expression does not match."""

    text: str
    first: bool
    last: bool
    fold: bool

    @property
    def whole(self) -> bool:
        """Whether the alternative is nothing but this word."""
        return self.first and self.last

    @property
    def source(self) -> str:
        """The expression that finds it in a text."""
        quoted: str = re2.escape(self.text)
        found = f"(?i:{quoted})" if self.fold else quoted
        return (r"\A" if self.first else "") + found + (r"\z" if self.last else "")


def telling_words(reading: Reading) -> tuple[Word, ...]:
    """A word of each alternative; empty when one of them has none that tells enough."""
    found = [_most_telling(branch, fold=reading.fold) for branch in reading.branches]
    known = [word for word in found if word is not None]
    return tuple(dict.fromkeys(known)) if len(known) == len(found) else ()


def _most_telling(branch: Branch, *, fold: bool) -> Word | None:
    """The longest, and of the longest one that stands at an end."""
    words = [Word(text=each.text, first=each.first, last=each.last, fold=fold) for each in branch.literals]
    usable = [word for word in words if word.whole or len(word.text) >= _shortest(word)]
    return max(usable, key=lambda word: (word.whole, len(word.text), word.first or word.last), default=None)


def _shortest(word: Word) -> int:
    return SHORTEST_AT_AN_END if word.first or word.last else SHORTEST_INSIDE


class WordIndex:
    """Numbers of expressions by their words, as bytes of UTF-8."""

    def __init__(self) -> None:
        self._whole: dict[bytes, list[int]] = {}
        self._first = _Ends()
        self._last = _Ends()

    def add(self, word: Word, number: int) -> bool:
        """False when it cannot be looked up here."""
        if word.fold or not (word.first or word.last):
            return False
        key = word.text.encode()
        if word.whole:
            self._whole.setdefault(key, []).append(number)
            return True
        return (self._first if word.first else self._last).add(key, number)

    def hits(self, text: bytes) -> Sequence[int]:
        """Expressions that match: the text is one of their words."""
        return self._whole.get(text, _NOTHING)

    def candidates(self, text: bytes) -> list[int]:
        """Expressions that may match: the text begins or ends with one of their words."""
        found: list[int] = []
        if lengths := self._first.lengths:
            by_word = self._first.by_word
            for length in lengths:
                found += by_word.get(text[:length], _NOTHING)
        if lengths := self._last.lengths:
            by_word = self._last.by_word
            for length in lengths:
                found += by_word.get(text[-length:], _NOTHING)
        return found


class _Ends:
    """Words by themselves, and how long they are."""

    def __init__(self) -> None:
        self.by_word: dict[bytes, list[int]] = {}
        self.lengths: list[int] = []

    def add(self, key: bytes, number: int) -> bool:
        if len(key) not in self.lengths:
            if len(self.lengths) == MOST_LENGTHS:
                return False
            self.lengths.append(len(key))
        self.by_word.setdefault(key, []).append(number)
        return True
