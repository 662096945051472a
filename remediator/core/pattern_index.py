"""Thousands of regular expressions on one label's values: which of them match, in a few passes.

From the cheapest: an expression that is nothing but words (``a|b``) is looked up. One that cannot match
without a certain word is found by it, at the value's beginning or end by looking it up, elsewhere in an
``re2.Set`` of words, and then asked itself unless the word is enough. The rest goes into sets of RE2.

A set that runs out of memory answers that nothing matches. Therefore every set holds one expression more,
which matches everything: an answer without it is none, and the expressions are asked one by one. A set that
cannot be compiled, or not used with the memory it may take, is split. A failure costs time, never a match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, cast

import re2

from remediator.core.literals import read_literals
from remediator.core.matchers import compile_regex
from remediator.core.steps import Steps
from remediator.core.word_index import Word, WordIndex, telling_words

WORDS_IN_A_SET, PATTERNS_IN_A_SET = 4096, 256
"""A set of words is a small automaton. One of expressions can follow many of them at a time: the fewer they
are, the sooner its states repeat themselves."""
MEMORY = 64 << 20
"""Bytes that the sets of one index may take together, as far as ``LEAST_MEMORY`` allows it."""
MOST_MEMORY, LEAST_MEMORY = 16 << 20, 1 << 20
"""Bytes for one set."""
MOST_SHARING = 8
"""Expressions that are found by the same word: with more, asking each of them costs more than a set."""
STEP = 64
"""Expressions between two breaks while an index is made."""
_EVERYTHING = {True: r"\z", False: r"\C*"}


_Entry = tuple[str, Sequence[int]]
"""An expression of a set, and the numbers of those that it speaks for."""


class _Set(Protocol):
    def Add(self, pattern: str) -> int: ...  # noqa: N802  # the library's name
    def Compile(self) -> None: ...  # noqa: N802  # the library's name
    def Match(self, text: bytes) -> Sequence[int] | None: ...  # noqa: N802  # the library's name


class PatternIndex:
    """Expressions, each with what it stands for. To be compiled before it is asked."""

    def __init__(self, patterns: Mapping[str, Sequence[int]]) -> None:
        self._patterns = tuple(patterns)
        self._meanings = tuple(tuple(meaning) for meaning in patterns.values())
        self._words = WordIndex()
        self._enough: set[int] = set()
        self._sieves: list[_Sieve] = []
        self._alone: list[int] = []

    def compile(self, memory: int = MEMORY) -> Steps[None]:
        """Raises nothing: whatever RE2 refuses is done another way. ``memory``: bytes for all sets."""
        sought: dict[int, tuple[Word, ...]] = {}
        for number, pattern in enumerate(self._patterns):
            if number % STEP == 0:
                yield
            reading = read_literals(pattern)
            sought[number] = () if reading is None else telling_words(reading)
            if reading is not None and all(branch.enough for branch in reading.branches):
                self._enough.add(number)
        shared = Counter(word for words in sought.values() for word in words if not word.whole)
        inside: dict[str, list[int]] = {}
        rest: list[tuple[str, Sequence[int]]] = []
        for number, words in sought.items():
            if not words or any(shared[word] > MOST_SHARING for word in words):
                rest.append((self._patterns[number], (number,)))
                continue
            for word in words:
                if not self._words.add(word, number):
                    inside.setdefault(word.source, []).append(number)
        yield from self._fill(sorted(inside.items()), sorted(rest), memory)

    def _fill(self, inside: Sequence[_Entry], rest: Sequence[_Entry], memory: int) -> Steps[None]:
        sets = [(True, part) for part in _parts(inside, WORDS_IN_A_SET)]
        sets += [(False, part) for part in _parts(rest, PATTERNS_IN_A_SET)]
        each = min(MOST_MEMORY, max(LEAST_MEMORY, memory // max(1, len(sets))))
        for for_words, part in sets:
            yield from self._add(part, each, for_words=for_words)

    def _add(self, part: Sequence[_Entry], memory: int, *, for_words: bool) -> Steps[None]:
        """A set of these expressions, or of each half of them; one that fits no set is asked alone."""
        yield
        sieve = _Sieve.compiled(part, memory, for_words=for_words)
        if sieve is not None:
            self._sieves.append(sieve)
        elif len(part) == 1:
            self._alone += part[0][1]
        else:
            middle = len(part) // 2
            yield from self._add(part[:middle], memory, for_words=for_words)
            yield from self._add(part[middle:], memory, for_words=for_words)

    def hits(self, value: str) -> list[int]:
        """What the expressions that match stand for, in no order, perhaps more than once."""
        text = value.encode("utf-8", "replace")  # as a matcher writes it
        found, asked = self._words.hits(text), self._alone
        for sieve in self._sieves:
            if places := sieve.places(text):
                numbers = sieve.numbers(places)
                if sieve.certain:
                    found = [*found, *numbers]
                else:
                    asked = [*asked, *numbers]
        if candidates := self._words.candidates(text):
            asked = [*asked, *candidates]
        if asked:
            found = [*found, *self._matching(dict.fromkeys(asked), text)]
        return [meaning for number in found for meaning in self._meanings[number]]

    def _matching(self, numbers: Iterable[int], text: bytes) -> list[int]:
        enough: Collection[int] = () if b"\n" in text else self._enough
        return [
            number
            for number in numbers
            if number in enough or compile_regex(self._patterns[number]).search(text) is not None
        ]


class _Sieve:
    """One ``re2.Set``. ``certain``: what it finds matches, and need not be asked."""

    def __init__(self, compiled: _Set, part: Sequence[_Entry], *, certain: bool) -> None:
        self._match: Callable[[bytes], Sequence[int] | None] = compiled.Match
        self._numbers, self.certain = [numbers for _, numbers in part], certain
        self._everything = len(part)

    @classmethod
    def compiled(cls, part: Sequence[_Entry], memory: int, *, for_words: bool) -> _Sieve | None:
        """None when RE2 cannot make it, or cannot use it, with so many bytes."""
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = memory
        made = cast("_Set", re2.Set.SearchSet(options) if for_words else re2.Set.FullMatchSet(options))
        try:
            for source, _ in part:
                made.Add(source)
            made.Add(_EVERYTHING[for_words])
            made.Compile()
        except re2.error:
            return None
        sieve = cls(made, part, certain=not for_words)
        return sieve if sieve.places(b"") != range(len(part)) else None

    def places(self, text: bytes) -> Sequence[int]:
        """Which of its expressions match, by their places in it; all of them when it ran out of memory."""
        found = self._match(text)
        if found is None or self._everything not in found:
            self._match, self.certain = _out_of_memory, False  # asked again it would fail again
            return range(self._everything)
        return () if len(found) == 1 else [place for place in found if place != self._everything]

    def numbers(self, places: Sequence[int]) -> list[int]:
        """The expressions that these speak for."""
        return [number for place in places for number in self._numbers[place]]


def _out_of_memory(text: bytes) -> None:
    """What a set answers then."""


def _parts(entries: Sequence[_Entry], most: int) -> Iterator[Sequence[_Entry]]:
    for start in range(0, len(entries), most):
        yield entries[start : start + most]
