"""Thousands of regular expressions on one label's values: which of them match, in a few passes.

Three ways, from the cheapest: expressions that are nothing but words (``a|b``) are looked up; those that
cannot match without a certain word are found by it and then asked themselves; the rest go into ``re2.Set``.

A set of RE2 that runs out of memory answers that nothing matches. Therefore every set holds one expression
more, which matches everything: an answer without it is none, and the expressions are asked one by one. A set
that cannot be compiled, or not used with the memory it may take, is split. A failure costs time, never a
match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, cast

import re2

from remediator.core.literals import Literal, read_literals
from remediator.core.matchers import compile_regex
from remediator.core.steps import Steps

WORDS_IN_A_SET, PATTERNS_IN_A_SET = 4096, 128
"""A set of words is a small automaton. One of expressions can follow many of them at a time: the fewer they
are, the sooner its states repeat themselves."""
MEMORY = 64 << 20
"""Bytes that the sets of one index may take together, as far as ``LEAST_MEMORY`` allows it."""
MOST_MEMORY, LEAST_MEMORY = 16 << 20, 1 << 20
"""Bytes for one set."""
SHORTEST_WORD = 3
"""Characters. Shorter ones are in too many values, unless a value must begin or end with them."""
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
        self._words: dict[bytes, list[int]] = {}
        self._sieves: list[_Sieve] = []
        self._alone: list[int] = []

    def compile(self, memory: int = MEMORY) -> Steps[None]:
        """Raises nothing: whatever RE2 refuses is done another way. ``memory``: bytes for all sets."""
        sought: dict[int, tuple[str, ...]] = {}
        rest: list[int] = []
        for number, pattern in enumerate(self._patterns):
            if number % STEP == 0:
                yield
            reading = read_literals(pattern)
            if reading is None:
                rest.append(number)
            elif (words := reading.words) is not None:
                for word in words:
                    self._words.setdefault(word.encode(), []).append(number)
            elif None in (found := [_most_telling(branch) for branch in reading.branches]):
                rest.append(number)
            else:
                sought[number] = tuple(dict.fromkeys(_source(each) for each in found if each is not None))
        shared = Counter(source for sources in sought.values() for source in sources)
        by_source: dict[str, list[int]] = {}
        for number, sources in sought.items():
            if any(shared[source] > MOST_SHARING for source in sources):
                rest.append(number)
            else:
                for source in sources:
                    by_source.setdefault(source, []).append(number)
        yield from self._fill(by_source, rest, memory)

    def _fill(self, by_source: Mapping[str, Sequence[int]], rest: Sequence[int], memory: int) -> Steps[None]:
        sets = [(True, part) for part in _parts(sorted(by_source.items()), WORDS_IN_A_SET)]
        alone = sorted((self._patterns[number], (number,)) for number in rest)
        sets += [(False, part) for part in _parts(alone, PATTERNS_IN_A_SET)]
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
        numbers = [*self._words.get(text, ())]
        for sieve in self._sieves:
            if places := sieve.places(text):
                numbers += sieve.numbers(places, text, self._matches)
        if self._alone:
            numbers += [number for number in self._alone if self._matches(number, text)]
        return [meaning for number in numbers for meaning in self._meanings[number]] if numbers else numbers

    def _matches(self, number: int, text: bytes) -> bool:
        return compile_regex(self._patterns[number]).search(text) is not None


class _Sieve:
    """One ``re2.Set``. ``for_words``: what it finds is only a reason to ask the expressions themselves."""

    def __init__(self, compiled: _Set, part: Sequence[_Entry], *, for_words: bool) -> None:
        self._match = compiled.Match
        self._numbers, self._for_words = [numbers for _, numbers in part], for_words
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
        sieve = cls(made, part, for_words=for_words)
        return sieve if sieve.places(b"") != range(len(part)) else None

    def places(self, text: bytes) -> Sequence[int]:
        """Which of its expressions may match; all of them when it ran out of memory."""
        found = self._match(text)
        if found is None or self._everything not in found:
            self._match, self._for_words = _out_of_memory, True  # asked again it would fail again
            return range(self._everything)
        return () if len(found) == 1 else [place for place in found if place != self._everything]

    def numbers(
        self, places: Sequence[int], text: bytes, matches: Callable[[int, bytes], bool]
    ) -> Sequence[int]:
        """The expressions that do match."""
        numbers = dict.fromkeys(number for place in places for number in self._numbers[place])
        return [number for number in numbers if matches(number, text)] if self._for_words else [*numbers]


def _out_of_memory(text: bytes) -> None:
    """What a set answers then; the others of Python's library say None when nothing is found, too."""


def _most_telling(branch: Sequence[Literal]) -> Literal | None:
    """The longest word, and of the longest one that stands at an end; None when none tells enough."""
    usable = [each for each in branch if len(each.text) >= (2 if each.first or each.last else SHORTEST_WORD)]
    return max(usable, key=lambda each: (len(each.text), each.first or each.last), default=None)


def _source(literal: Literal) -> str:
    text: str = re2.escape(literal.text)
    return (r"\A" if literal.first else "") + text + (r"\z" if literal.last else "")


def _parts(entries: Sequence[_Entry], most: int) -> Iterator[Sequence[_Entry]]:
    for start in range(0, len(entries), most):
        yield entries[start : start + most]
