"""Many regular expressions at once: whatever RE2 cannot do costs time, never a match."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.literals import Literal, read_literals
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.pattern_index import PATTERNS_IN_A_SET, PatternIndex, _Sieve
from remediator.core.steps import at_once


def index_of(patterns: Sequence[str], memory: int = 64 << 20) -> PatternIndex:
    """Each stands for its place."""
    index = PatternIndex({pattern: (number,) for number, pattern in enumerate(patterns)})
    at_once(index.compile(memory))
    return index


def one_by_one(patterns: Sequence[str], value: str) -> set[int]:
    """As a matcher says it."""
    made = [Matcher(name="x", op=MatchOp.MATCHES, value=pattern) for pattern in patterns]
    return {number for number, matcher in enumerate(made) if matcher.matches({"x": value})}


HOSTILE = [
    *(f"(a|b|[^x-z]){{{200 + number}}}.{{0,{number}}}c?" for number in range(60)),
    *(f"[a-z]{{1,{number + 1}}}[0-9]+(.|\n)*[^a]{{{900 + number}}}" for number in range(40)),
    *(f"(x+x+)+y{number}|.*[ab].{{{300 + number}}}" for number in range(40)),
    *(f".*(?i:{'k' * number}).*(?:1|2)" for number in range(1, 30)),
]
VALUES = ("", "a" * 210, "b" * 230, "abc1" + "\n" * 950, "a" * 4096, "xxxxxxy3", "é" * 305, "k" * 40 + "1")


@pytest.mark.parametrize("memory", [64 << 20, 8 << 20, 1], ids=["usual", "less", "least"])
def test_hostile_patterns_match_as_each_alone_does(memory: int) -> None:
    """Sets that cannot be compiled or used in the memory they may take are split, down to one expression."""
    index = index_of(HOSTILE, memory)
    for value in VALUES:
        assert set(index.hits(value)) == one_by_one(HOSTILE, value)


def test_what_fits_no_set_is_asked_alone() -> None:
    """An expression that alone is larger than a set's memory; the others stay in a set."""
    large = "|".join(f"[a-f]{{{900 + number}}}" for number in range(60)) + "|[0-9]"
    patterns = [large, "[a-z]", "[0-9x]"]
    index = index_of(patterns, 1)
    assert index._alone == [0]
    assert [sieve._everything for sieve in index._sieves] == [1, 1] or len(index._sieves) == 1
    for value in ("5", "x", "a" * 930, "é"):
        assert set(index.hits(value)) == one_by_one(patterns, value)


class RunsOut:
    """A set whose memory ends while it matches: RE2 then answers that nothing does."""

    def __init__(self) -> None:
        self.asked = 0

    def Add(self, pattern: str) -> int:  # the library's name
        return 0

    def Compile(self) -> None:  # the library's name
        return

    def Match(self, text: bytes) -> Sequence[int] | None:  # the library's name
        self.asked += 1
        return None


def test_a_set_that_runs_out_of_memory_while_matching_loses_nothing() -> None:
    """Its expressions are asked one by one, from then on without it."""
    exhausted = RunsOut()
    patterns = ["[a-z]+", "[0-9]+", ".x|[b]"]
    index = index_of(patterns)
    part = [(pattern, (number,)) for number, pattern in enumerate(patterns)]
    index._sieves = [_Sieve(exhausted, part, for_words=False)]
    for value in ("abc", "17", "ax", "b", "é"):
        assert set(index.hits(value)) == one_by_one(patterns, value)
    assert exhausted.asked == 1


def test_a_thousand_patterns_that_share_a_word_are_not_asked_one_by_one() -> None:
    """A word that everything has tells nothing: they go into sets."""
    patterns = [
        f"kube-[a-z]+-{'x' * (number % 3)}[0-{number % 10}]{{{number // 10 + 1}}}" for number in range(300)
    ]
    index = index_of(patterns)
    assert all(not sieve._for_words and sieve._everything <= PATTERNS_IN_A_SET for sieve in index._sieves)
    assert set(index.hits("kube-a-x1")) == one_by_one(patterns, "kube-a-x1")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a|b|a", ("a", "b")),
        ("", ("",)),
        (r"web\.shop|", ("web.shop", "")),
        ("a.", None),
        ("ab?", None),
        ("(a|b)", None),
        ("^a$", None),
    ],
)
def test_expressions_that_are_only_words_are_known(pattern: str, words: tuple[str, ...] | None) -> None:
    reading = read_literals(pattern)
    assert reading is not None
    assert reading.words == words


@pytest.mark.parametrize(
    "pattern",
    ["(?i)web", "a(?i:b)c", r"\Qa.b\E", r"\x41b", r"\pLab", "a)|(b", "[[:alpha:]]x", "a{,5}b", "a\\"],
)
def test_what_is_not_known_for_certain_has_no_literals(pattern: str) -> None:
    assert read_literals(pattern) is None


def test_literals_lie_between_what_can_be_anything() -> None:
    reading = read_literals(r"web-[0-9]+\.(eu|us)x+|.*-node1\?")
    assert reading is not None
    assert reading.branches == (
        (Literal(text="web-", first=True, last=False), Literal(text=".", first=False, last=False)),
        (Literal(text="-node1?", first=False, last=True),),
    )


@given(st.text(), st.lists(st.text(), max_size=5))
def test_any_text_that_is_escaped_is_found_by_itself(text: str, others: list[str]) -> None:
    """Quoting as RE2's own, whatever the characters are."""
    import re2

    escaped: str = re2.escape(text.encode("utf-8", "replace").decode())
    index = index_of([f"{escaped}[0-9]*"])
    for value in (text, *others):
        assert bool(index.hits(value)) == bool(one_by_one([f"{escaped}[0-9]*"], value))
